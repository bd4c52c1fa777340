/** Stops a server once: on request, or if it cannot continue. */
export class Shutdown {
  /** Resolves after the server has stopped. The value is the reason if it stopped by itself. */
  readonly ended: Promise<Error | undefined>;
  readonly #stop: () => Promise<void>;
  #resolve: (reason: Error | undefined) => void = () => {};
  #stopping: Promise<void> | undefined;

  constructor(stop: () => Promise<void>) {
    this.#stop = stop;
    this.ended = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  /** Stops the server. Later calls wait for the same stop. */
  begin(reason?: Error): Promise<void> {
    return (this.#stopping ??= this.#stop().finally(() => this.#resolve(reason)));
  }

  /**
   * Stops the server because it cannot continue. `ended` resolves to the reason, even if stopping fails too.
   */
  fail(reason: Error): void {
    this.begin(reason).catch(() => {});
  }
}
