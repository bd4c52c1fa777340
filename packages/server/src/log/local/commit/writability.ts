/** The time without a failed commit after which the log reports that messages can be stored again. */
const writableAfterMs = 5_000;

/**
 * The time after a failed commit in which the next one is expected to fail too. Afterwards a load balancer,
 * which may have sent all publishers away, must let one try again.
 */
const failingMs = 10_000;

/** Reports when messages cannot be stored, and when they can be stored again. */
export class Writability {
  readonly #onWritable: (reason?: unknown) => void;
  /** The last failure, and whether a commit has succeeded since. Undefined while messages can be stored. */
  #failure: { readonly at: number; isOver: boolean } | undefined;

  /**
   * @param onWritable - called with a reason when messages cannot be stored, and without one when they can
   * again
   */
  constructor(onWritable: (reason?: unknown) => void) {
    this.#onWritable = onWritable;
  }

  /** @param now - the running time of the log's clock, as below */
  noteFailure(now: number, error: unknown): void {
    if (!this.#failure) this.#onWritable(error);
    this.#failure = { at: now, isOver: false };
  }

  noteSuccess(): void {
    if (this.#failure) this.#failure.isOver = true;
  }

  /** Whether a commit would probably fail now. */
  isFailing(now: number): boolean {
    return this.#failure !== undefined && !this.#failure.isOver && now - this.#failure.at < failingMs;
  }

  /**
   * Reports the end of the trouble some seconds late: on a nearly full disk, a small commit may succeed
   * between two failures.
   */
  report(now: number): void {
    if (!this.#failure?.isOver || now - this.#failure.at < writableAfterMs) return;
    this.#failure = undefined;
    this.#onWritable();
  }
}
