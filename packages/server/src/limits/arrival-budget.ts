/**
 * The first bytes of each arrival are free, so that small requests are never refused because of other
 * clients.
 */
const freeBytes = 65_536;

/** The memory that each piece costs in addition to its bytes. */
const pieceOverheadBytes = 128;

/** The memory budget for incomplete bodies or packets, over all connections. */
export class ArrivalBudget {
  readonly #bytesMax: () => number;
  #bytes = 0;

  /** @param bytesMax - the limit; a function if it can change */
  constructor(bytesMax: number | (() => number)) {
    this.#bytesMax = typeof bytesMax === 'number' ? () => bytesMax : bytesMax;
  }

  /**
   * Takes bytes from the budget; a negative number gives them back.
   *
   * @returns false if the budget does not have enough bytes; then nothing is taken
   */
  take(bytes: number): boolean {
    if (bytes > 0 && this.#bytes + bytes > this.#bytesMax()) return false;
    this.#bytes += bytes;
    return true;
  }
}

/** The number of bytes that an arrival takes from the budget. */
function chargedBytes(bytes: number, pieces: number): number {
  return Math.max(0, bytes + pieces * pieceOverheadBytes - freeBytes);
}

/** One body or packet that has arrived in part. */
export class Arrival {
  readonly #budget: ArrivalBudget;
  #taken = 0;

  constructor(budget: ArrivalBudget) {
    this.#budget = budget;
  }

  /**
   * Charges the budget for the bytes that have arrived so far.
   *
   * @param bytes - all bytes that have arrived, not only the new ones
   * @returns false if the budget is exhausted; then the arrival keeps the bytes that it took before
   */
  hold(bytes: number, pieces: number): boolean {
    const wanted = chargedBytes(bytes, pieces);
    const isHeld = this.#budget.take(wanted - this.#taken);
    if (isHeld) this.#taken = wanted;
    return isHeld;
  }

  /** Returns all bytes to the budget, because the arrival is complete or has failed. */
  end(): void {
    this.hold(0, 0);
  }
}
