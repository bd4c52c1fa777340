/** The end of a server, which is asked for from outside, or comes by itself when the server cannot go on. */
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

  /** Stops the server once, however often it is called. */
  begin(reason?: Error): Promise<void> {
    return (this.#stopping ??= this.#stop().finally(() => this.#resolve(reason)));
  }

  /** Stops the server because it cannot go on. What fails on the way changes nothing of that. */
  fail(reason: Error): void {
    this.begin(reason).catch(() => {});
  }
}
