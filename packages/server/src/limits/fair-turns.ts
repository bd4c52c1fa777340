/** How senders share the turns of the event loop. */
export interface FairTurnsOptions<T> {
  /** How many items of one sender are taken in a turn of the event loop. */
  readonly perTurnMax: number;
  /** How many items of each sender are taken once all senders together have sent too many. */
  readonly leastPerTurn: number;
  readonly together: TurnBudget;
  readonly pause: (sender: T) => void;
  /** @returns false when the sender cannot be resumed yet; then this is called again in the next turn */
  readonly resume: (sender: T) => boolean;
}

/** Counts the items of all senders in a turn of the event loop. */
export class TurnBudget {
  readonly #max: number;
  #count = 0;

  /** @param max - from this number on, each sender gets only `leastPerTurn` */
  constructor(max: number) {
    this.#max = max;
  }

  /** @returns whether the budget of this turn is used up */
  count(): boolean {
    if (this.#count++ === 0) setImmediate(() => (this.#count = 0));
    return this.#count >= this.#max;
  }
}

/**
 * Lets senders of many items take turns with all others and with each other. Without it, up to 2 MiB that the kernel has
 * buffered for one connection would be read and handled in one turn of the event loop.
 */
export class FairTurns<T> {
  readonly #options: FairTurnsOptions<T>;
  /** The items of each sender in this turn. */
  #counts = new Map<T, number>();
  /** The senders that were paused in this turn. */
  #paused = new Set<T>();
  /** The senders that were paused before and could not be resumed yet. */
  readonly #held = new Set<T>();
  #isEnding = false;

  constructor(options: FairTurnsOptions<T>) {
    this.#options = options;
  }

  /**
   * Must be called for each item of a sender, as it arrives.
   *
   * @returns whether the item is to be taken in this turn
   */
  count(sender: T): boolean {
    const { perTurnMax, leastPerTurn, together, pause } = this.#options;
    // First, so that the budget of the next turn starts before any sender is resumed.
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
      // A listener of the app may have thrown: the other senders are resumed nevertheless.
      if (this.#held.size > 0) this.#endLater();
    }
  }
}
