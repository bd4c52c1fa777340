/** The options of {@link FairTurns}. */
export interface FairTurnsOptions<T> {
  /** Maximum number of items of one sender in a turn of the event loop. */
  readonly perTurnMax: number;
  /** Maximum number of items of each sender in a turn, after all senders together have used up the budget. */
  readonly leastPerTurn: number;
  readonly together: TurnBudget;
  readonly pause: (sender: T) => void;
  /** @returns false if the sender cannot be resumed yet; then this is called again in the next turn */
  readonly resume: (sender: T) => boolean;
}

/** The budget of items for all senders together in a turn of the event loop. */
export class TurnBudget {
  readonly #max: number;
  #count = 0;

  /** @param max - the number of items after which each sender gets only `leastPerTurn` */
  constructor(max: number) {
    this.#max = max;
  }

  /** Counts an item. @returns whether the budget of this turn is used up */
  count(): boolean {
    if (this.#count++ === 0) setImmediate(() => (this.#count = 0));
    return this.#count >= this.#max;
  }
}

/**
 * Makes senders of many items take turns, so that they do not delay other senders. Otherwise up to 2 MiB that
 * the kernel has buffered for one connection would be read and handled in one turn of the event loop.
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
   * MUST be called for each item of a sender when it arrives.
   *
   * @returns whether to take the item in this turn
   */
  count(sender: T): boolean {
    const { perTurnMax, leastPerTurn, together, pause } = this.#options;
    // This comes first, so that the budget of the next turn starts before any sender is resumed.
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
      // If a listener of the app throws, the other senders are still resumed.
      if (this.#held.size > 0) this.#endLater();
    }
  }
}
