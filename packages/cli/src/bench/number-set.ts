const firstBytes = 1_024;

/** A set of whole numbers that begin at 0, of a bit each. */
export class NumberSet {
  #bits = new Uint8Array(firstBytes);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  has(number: number): boolean {
    return (((this.#bits[number >> 3] ?? 0) >> (number & 7)) & 1) === 1;
  }

  /** @returns false if the set had it already */
  add(number: number): boolean {
    if (this.has(number)) return false;
    const byte = number >> 3;
    if (byte >= this.#bits.length) {
      const longer = new Uint8Array(Math.max(this.#bits.length * 2, byte + 1));
      longer.set(this.#bits);
      this.#bits = longer;
    }
    this.#bits[byte] = (this.#bits[byte] ?? 0) | (1 << (number & 7));
    this.#size++;
    return true;
  }

  /** How many of these numbers another set does not have. */
  countMissingFrom(other: NumberSet): number {
    let count = 0;
    for (const [at, byte] of this.#bits.entries()) {
      for (let rest = byte & ~(other.#bits[at] ?? 0); rest !== 0; rest &= rest - 1) count++;
    }
    return count;
  }
}
