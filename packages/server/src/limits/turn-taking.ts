/** How one that sends is read from. */
export interface TurnTakingOptions<T> {
  /** What one may send in a turn of the event loop before no more is taken from it in that turn. */
  readonly perTurnMax: number;
  /** What all together may send in a turn before each has to do with the least. */
  readonly totalPerTurnMax: number;
  readonly leastPerTurn: number;
  readonly pause: (sender: T) => void;
  /** @returns false when it cannot be yet; then it is called again in the next turn */
  readonly resume: (sender: T) => boolean;
}

/**
 * Has those who send much take turns with all others, and with each other. Else up to 2 MiB that wait in the kernel for one connection
 * are read, and done, in one turn of the event loop.
 */
export class TurnTaking<T> {
  readonly #options: TurnTakingOptions<T>;
  /** What each has sent in this turn. */
  #counts = new Map<T, number>();
  #total = 0;
  /** Those that have had their turn. */
  #paused = new Set<T>();
  /** Those that had it before, and could not be resumed yet. */
  #held = new Set<T>();
  #isEnding = false;

  constructor(options: TurnTakingOptions<T>) {
    this.#options = options;
  }

  /**
   * To be called with each thing that one sends, as it comes.
   *
   * @returns whether it is to be taken in this turn
   */
  count(sender: T): boolean {
    this.#endLater();
    const { perTurnMax, totalPerTurnMax, leastPerTurn, pause } = this.#options;
    const count = (this.#counts.get(sender) ?? 0) + 1;
    this.#counts.set(sender, count);
    const isTaken = !this.#paused.has(sender);
    const max = ++this.#total < totalPerTurnMax ? perTurnMax : leastPerTurn;
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
    this.#total = 0;
    const waiting = new Set([...this.#held, ...this.#paused]);
    this.#held = new Set();
    this.#paused = new Set();
    for (const sender of waiting) if (!this.#options.resume(sender)) this.#held.add(sender);
    if (this.#held.size > 0) this.#endLater();
  }
}
