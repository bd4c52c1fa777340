/** The progress of a run, and its early end: the failure of any of its parts, or the time-out. */
export class Deadline {
  readonly #controller = new AbortController();
  readonly #timeoutMs: number;
  #doing: () => string = () => 'starting';

  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
  }

  /** @param doing - says what the run waits for, as the end of a sentence. Called when the time is over */
  enter(doing: () => string): void {
    this.#doing = doing;
  }

  /** Fails the run; the first failure counts. */
  readonly fail = (error: Error): void => {
    this.#controller.abort(error);
  };

  /** Runs until the work is done, has failed, or the time is over. */
  async run<Result>(work: () => Promise<Result>): Promise<Result> {
    const { signal } = this.#controller;
    const timer = setTimeout(
      () => this.fail(new Error(`After ${this.#timeoutMs / 1000} s: ${this.#doing()}.`)),
      this.#timeoutMs,
    );
    try {
      return await Promise.race([
        work(),
        new Promise<never>((_resolve, reject) =>
          signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true }),
        ),
      ]);
    } finally {
      clearTimeout(timer);
    }
  }
}
