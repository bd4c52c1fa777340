/** Answers of a server, which come in the order of the requests. */
export class Answers {
  readonly #onFailure: (reason: string) => void;
  #missing = 0;
  #failure: Error | undefined;
  #settle: { readonly resolve: () => void; readonly reject: (error: Error) => void } | undefined;

  /** @param onFailure - called on every failure, whether somebody waits for an answer or not */
  constructor(onFailure: (reason: string) => void) {
    this.#onFailure = onFailure;
  }

  /** Resolves once so many more answers have come. One call at a time. */
  next(count: number): Promise<void> {
    if (this.#failure) return Promise.reject(this.#failure);
    this.#missing = count;
    return new Promise((resolve, reject) => (this.#settle = { resolve, reject }));
  }

  /** Takes an answer. @returns false if nobody waits for one */
  take(): boolean {
    if (this.#missing === 0) return false;
    if (--this.#missing === 0) {
      this.#settle?.resolve();
      this.#settle = undefined;
    }
    return true;
  }

  fail(reason: string): void {
    this.#failure ??= new Error(reason);
    this.#settle?.reject(this.#failure);
    this.#settle = undefined;
    this.#onFailure(reason);
  }
}
