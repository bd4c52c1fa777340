/** The first bytes of each arrival are free: small requests are never refused because of others, and cost little. */
const freeBytes = 65_536;

/** The memory that each piece costs in addition to its bytes. */
const pieceOverheadBytes = 128;

/** The memory for everything that has arrived in part, over all connections. */
export class ArrivalBudget {
  readonly #bytesMax: number;
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /**
   * Takes bytes from the budget; a negative number gives them back.
   *
   * @returns false when the budget has not as many; then nothing is taken
   */
  take(bytes: number): boolean {
    if (bytes > 0 && this.#bytes + bytes > this.#bytesMax) return false;
    this.#bytes += bytes;
    return true;
  }
}

/** The bytes that an arrival takes from the budget. */
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

  /** Whether an arrival of this size takes anything from the budget. */
  static needsBudget(bytes: number, pieces: number): boolean {
    return chargedBytes(bytes, pieces) > 0;
  }

  /**
   * Charges the budget for what has arrived so far.
   *
   * @param bytes - all bytes that have arrived, not only the new ones
   * @returns false when the budget is exhausted; the arrival then keeps what it had taken before
   */
  hold(bytes: number, pieces: number): boolean {
    const wanted = chargedBytes(bytes, pieces);
    const isHeld = this.#budget.take(wanted - this.#taken);
    if (isHeld) this.#taken = wanted;
    return isHeld;
  }

  /** Gives everything back: the rest has arrived, or never will. */
  end(): void {
    this.hold(0, 0);
  }
}
