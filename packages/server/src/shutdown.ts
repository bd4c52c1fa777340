/** Stops a server once: when it is asked to, or when the server cannot go on. */
export class Shutdown {
  /** Resolves once the server has stopped: to the reason when it stopped by itself. */
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

  /** Stops the server because it cannot go on. `ended` tells the reason, even when stopping fails as well. */
  fail(reason: Error): void {
    this.begin(reason).catch(() => {});
  }
}
