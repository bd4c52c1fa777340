/** How one that sends is read from. */
export interface TurnTakingOptions<T> {
  /** What one may send in a turn of the event loop before no more is taken from it in that turn. */
  readonly perTurnMax: number;
  readonly pause: (sender: T) => void;
  /** @returns false when it cannot be yet; then it is called again in the next turn */
  readonly resume: (sender: T) => boolean;
}

/**
 * Has those who send much take turns with all others. Else up to 2 MiB that wait in the kernel for one connection are read,
 * and done, in one turn of the event loop.
 */
export class TurnTaking<T> {
  readonly #options: TurnTakingOptions<T>;
  /** What each has sent in this turn. */
  #counts = new Map<T, number>();
  /** Those that are to be resumed. */
  #paused = new Set<T>();
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
    const { perTurnMax, pause } = this.#options;
    const count = (this.#counts.get(sender) ?? 0) + 1;
    this.#counts.set(sender, count);
    if (count === perTurnMax) {
      this.#paused.add(sender);
      pause(sender);
    }
    return count <= perTurnMax;
  }

  #endLater(): void {
    if (!this.#isEnding) setImmediate(() => this.#end());
    this.#isEnding = true;
  }

  #end(): void {
    this.#isEnding = false;
    this.#counts = new Map();
    const paused = this.#paused;
    this.#paused = new Set();
    for (const sender of paused) if (!this.#options.resume(sender)) this.#paused.add(sender);
    if (this.#paused.size > 0) this.#endLater();
  }
}
