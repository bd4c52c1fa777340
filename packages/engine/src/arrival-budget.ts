/** The first bytes of each arrival are free, so that small packets are never refused because of others. */
const freeBytes = 65_536;

/** The memory that each piece costs in addition to its bytes. */
const pieceOverheadBytes = 128;

/** The memory that is left for what has arrived in part, of all clients. */
export interface ArrivalBudget {
  bytes: number;
}

/** A WebSocket message or the body of a request that has arrived in part. */
export class Arrival {
  readonly #budget: ArrivalBudget;
  #cost = -freeBytes;
  #taken = 0;

  constructor(budget: ArrivalBudget) {
    this.#budget = budget;
  }

  /** @returns false if the budget is exhausted */
  add(bytes: number): boolean {
    this.#cost += bytes + pieceOverheadBytes;
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
