/**
 * Counts ticks of the queue of `process.nextTick`, as long as somebody waits for one. A stream reports in the
 * tick after a write that the kernel has taken it; the count tells when that would have been.
 */
export class TickCounter {
  #now = 0;
  #until = 0;

  get now(): number {
    return this.#now;
  }

  /** Keeps counting until this number is reached. */
  reach(tick: number): void {
    if (tick <= this.#until) return;
    if (this.#now === this.#until) this.#countOne();
    this.#until = tick;
  }

  #countOne(): void {
    process.nextTick(() => {
      this.#now++;
      if (this.#now < this.#until) this.#countOne();
    });
  }
}
