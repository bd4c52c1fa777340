/** The first bytes of each arrival are free, so that small packets are never refused because of others. */
const freeBytes = 65_536;

/** The memory that each piece costs in addition to its bytes. */
const pieceOverheadBytes = 128;

/** The memory that is left for what has arrived in part, of all clients. */
export interface ArrivalBudget {
  bytes: number;
}

/** The budget of all engines of this process, which have one memory. */
export const sharedArrivals: ArrivalBudget = { bytes: 268_435_456 };

/** A WebSocket message or the body of a request that has arrived in part. */
export class Arrival {
  readonly #budget: ArrivalBudget;
  #cost = -freeBytes;
  #taken = 0;

  constructor(budget: ArrivalBudget) {
    this.#budget = budget;
  }

  /**
   * @param pieces - the number of frames or chunks that the bytes are in
   * @returns false if the budget is exhausted
   */
  add(bytes: number, pieces = 1): boolean {
    this.#cost += bytes + pieces * pieceOverheadBytes;
    const more = this.#cost - this.#taken;
    if (this.#cost <= 0) return true;
    if (more > this.#budget.bytes) return false;
    this.#budget.bytes -= more;
    this.#taken = this.#cost;
    return true;
  }

  /** The arrival is complete or has failed. The next one can begin. */
  end(): void {
    this.#budget.bytes += this.#taken;
    this.#taken = 0;
    this.#cost = -freeBytes;
  }
}
