/**
 * Starts calls in their order, although appends wait for one another in a pipeline. A call that changes a
 * topic starts after all earlier appends are settled, and later calls start after it is settled.
 */
export class CallOrder {
  readonly #settleAppends: () => Promise<unknown>;
  /** Settles when all calls so far were started; undefined if they were. */
  #starts: Promise<void> | undefined;

  /** @param settleAppends - resolves after all earlier appends are settled */
  constructor(settleAppends: () => Promise<unknown>) {
    this.#settleAppends = settleAppends;
  }

  /** Starts a call after all earlier ones. */
  start<T>(call: () => Promise<T>): Promise<T> {
    if (!this.#starts) return call();
    return new Promise<T>((resolve, reject) => {
      this.#chain(async () => void call().then(resolve, reject));
    });
  }

  /** Makes a call alone: earlier ones are settled, and later ones are not started. */
  alone<T>(call: () => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#chain(async () => {
        await this.#settleAppends();
        const result = call();
        result.then(resolve, reject);
        await result.catch(() => {});
      });
    });
  }

  #chain(start: () => Promise<void>): void {
    const starts: Promise<void> = (this.#starts ?? Promise.resolve()).then(start).finally(() => {
      if (this.#starts === starts) this.#starts = undefined;
    });
    this.#starts = starts;
  }
}
