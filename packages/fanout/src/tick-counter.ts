/**
 * Counts ticks (the queue of `process.nextTick`), one after the other as far as somebody waits for them. A stream tells in the tick
 * after a write that the kernel has taken it.
 */
export class Ticks {
  #now = 0;
  #until = 0;

  get now(): number {
    return this.#now;
  }

  /** Counts on until this number is reached. */
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
