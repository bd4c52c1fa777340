/** How one that sends is read from. */
export interface TurnTakingOptions<T> {
  /** What one may send in a turn of the event loop before no more is read from it in that turn. */
  readonly perTurnMax: number;
  readonly pause: (sender: T) => void;
  readonly resume: (sender: T) => void;
}

/**
 * Has those who send much take turns with all others. Else up to 2 MiB that wait in the kernel for one connection are read,
 * and done, in one turn of the event loop.
 */
export class TurnTaking<T> {
  readonly #options: TurnTakingOptions<T>;
  /** What each has sent in this turn. */
  #counts = new Map<T, number>();

  constructor(options: TurnTakingOptions<T>) {
    this.#options = options;
  }

  /** To be called with each thing that one sends, as it comes. */
  count(sender: T): void {
    if (this.#counts.size === 0) setImmediate(() => this.#end());
    const count = (this.#counts.get(sender) ?? 0) + 1;
    this.#counts.set(sender, count);
    if (count === this.#options.perTurnMax) this.#options.pause(sender);
  }

  #end(): void {
    const counts = this.#counts;
    this.#counts = new Map();
    for (const [sender, count] of counts) if (count >= this.#options.perTurnMax) this.#options.resume(sender);
  }
}
