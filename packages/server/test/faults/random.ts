/** Random numbers that can be repeated: the same seed gives the same numbers. */
export class Random {
  readonly seed: number;
  #state: number;

  constructor(seed: number) {
    this.seed = seed >>> 0;
    this.#state = this.seed;
  }

  /** From 0 up to, but without, 1 (mulberry32). */
  next(): number {
    this.#state = (this.#state + 0x6d_2b_79_f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  below(limit: number): number {
    return Math.floor(this.next() * limit);
  }

  between(least: number, most: number): number {
    return least + this.below(most - least + 1);
  }

  isOneIn(count: number): boolean {
    return this.below(count) === 0;
  }

  pick<T>(of: readonly T[]): T {
    const picked = of[this.below(of.length)];
    if (picked === undefined) throw new Error('there is nothing to pick from');
    return picked;
  }
}

/** The seed of a test: FANFARE_FAULT_SEED, or a new one. Printed, so that a failure can be had again. */
export function seeded(test: string): Random {
  const given = process.env['FANFARE_FAULT_SEED'];
  const random = new Random(given === undefined ? Math.floor(Math.random() * 2 ** 32) : Number(given));
  console.log(`${test}: FANFARE_FAULT_SEED=${random.seed}`);
  return random;
}
