/** How one that sends is read from. */
export interface FairTurnsOptions<T> {
  /** What one may send in a turn of the event loop before no more is taken from it in that turn. */
  readonly perTurnMax: number;
  /** What each may send once all together have sent too much. */
  readonly leastPerTurn: number;
  readonly together: TurnBudget;
  readonly pause: (sender: T) => void;
  /** @returns false when it cannot be yet; then it is called again in the next turn */
  readonly resume: (sender: T) => boolean;
}

/** What all have sent in this turn of the event loop. */
export class TurnBudget {
  readonly #max: number;
  #count = 0;

  /** @param max - so much before each has to do with the least */
  constructor(max: number) {
    this.#max = max;
  }

  /** @returns whether it is too much by now */
  count(): boolean {
    if (this.#count++ === 0) setImmediate(() => (this.#count = 0));
    return this.#count >= this.#max;
  }
}

/**
 * Has those who send much take turns with all others, and with each other. Else up to 2 MiB that wait in the kernel for one connection
 * are read, and done, in one turn of the event loop.
 */
export class FairTurns<T> {
  readonly #options: FairTurnsOptions<T>;
  /** What each has sent in this turn. */
  #counts = new Map<T, number>();
  /** Those that have had their turn. */
  #paused = new Set<T>();
  /** Those that had it before, and could not be resumed yet. */
  readonly #held = new Set<T>();
  #isEnding = false;

  constructor(options: FairTurnsOptions<T>) {
    this.#options = options;
  }

  /**
   * To be called with each thing that one sends, as it comes.
   *
   * @returns whether it is to be taken in this turn
   */
  count(sender: T): boolean {
    const { perTurnMax, leastPerTurn, together, pause } = this.#options;
    // First, so that it begins anew before anybody is resumed.
    const isTooMuch = together.count();
    this.#endLater();
    const count = (this.#counts.get(sender) ?? 0) + 1;
    this.#counts.set(sender, count);
    const isTaken = !this.#paused.has(sender);
    const max = isTooMuch ? leastPerTurn : perTurnMax;
    if (isTaken && count >= max) {
      this.#paused.add(sender);
      pause(sender);
    }
    return isTaken;
  }

  #endLater(): void {
    if (!this.#isEnding) setImmediate(() => this.#end());
    this.#isEnding = true;
  }

  #end(): void {
    this.#isEnding = false;
    this.#counts = new Map();
    for (const sender of this.#paused) this.#held.add(sender);
    this.#paused = new Set();
    try {
      for (const sender of this.#held) if (this.#options.resume(sender)) this.#held.delete(sender);
    } finally {
      // What takes it may be the app's, and have thrown: the others are resumed all the same.
      if (this.#held.size > 0) this.#endLater();
    }
  }
}
