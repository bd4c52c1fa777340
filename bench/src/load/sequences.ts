import { ContentError } from './checker.ts';

/** Checks that a server gives no two messages the same place in its log. */
export class Sequences {
  #seen = new Uint8Array(1 << 20);
  #count = 0;
  #lowest = Infinity;
  #highest = 0;

  /**
   * @param sequences - places of the messages of one publish, in their order
   * @throws ContentError
   */
  add(sequences: readonly number[]): void {
    let last = 0;
    for (const sequence of sequences) {
      if (!(Number.isSafeInteger(sequence) && sequence > 0))
        throw new ContentError(`A message was given the place ${sequence}.`);
      if (sequence <= last)
        throw new ContentError(
          `A message was given the place ${sequence} after ${last}, of the one before it.`,
        );
      if (this.#seen[sequence]) throw new ContentError(`Two messages were given the place ${sequence}.`);
      this.#set(sequence);
      last = sequence;
    }
  }

  /**
   * Says which places in the log were not reported, as the end of a sentence. It assumes that nobody else
   * published.
   */
  missing(): string | undefined {
    if (this.#count === 0 || this.#highest - this.#lowest + 1 === this.#count) return undefined;
    return `${this.#count} messages were given places from ${this.#lowest} to ${this.#highest}`;
  }

  #set(sequence: number): void {
    if (sequence >= this.#seen.length) {
      const longer = new Uint8Array(2 ** Math.ceil(Math.log2(sequence + 1)));
      longer.set(this.#seen);
      this.#seen = longer;
    }
    this.#seen[sequence] = 1;
    this.#count++;
    this.#lowest = Math.min(this.#lowest, sequence);
    this.#highest = Math.max(this.#highest, sequence);
  }
}
