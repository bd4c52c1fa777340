/** The first bytes of each arrival are free, so that small packets are never refused because of others. */
const freeBytes = 65_536;

/** The memory that each piece costs in addition to its bytes. */
const pieceOverheadBytes = 128;

/** The memory budget for what has arrived in part, of all clients. */
export class ArrivalBudget {
  readonly #bytesMax: number;
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** @returns false if the budget does not have enough bytes; then nothing is taken */
  take(bytes: number): boolean {
    if (bytes > 0 && this.#bytes + bytes > this.#bytesMax) return false;
    this.#bytes += bytes;
    return true;
  }
}

/** A WebSocket message or the body of a request that has arrived in part. */
export class Arrival {
  readonly #budget: ArrivalBudget;
  #bytes = 0;
  #pieces = 0;
  #taken = 0;

  constructor(budget: ArrivalBudget) {
    this.#budget = budget;
  }

  /** @returns false if the budget is exhausted */
  add(bytes: number): boolean {
    this.#bytes += bytes;
    this.#pieces++;
    const wanted = Math.max(0, this.#bytes + this.#pieces * pieceOverheadBytes - freeBytes);
    const isTaken = this.#budget.take(wanted - this.#taken);
    if (isTaken) this.#taken = wanted;
    return isTaken;
  }

  /** The arrival is complete or has failed. The next one can begin. */
  end(): void {
    if (this.#taken > 0) this.#budget.take(-this.#taken);
    this.#bytes = this.#pieces = this.#taken = 0;
  }
}
