/**
 * Counts ticks of the queue of `process.nextTick`, while a caller waits for one. A stream reports a completed
 * write in the tick after it. The count shows when this would have happened.
 */
export class TickCounter {
  #now = 0;
  #until = 0;

  get now(): number {
    return this.#now;
  }

  /** Counting continues until this number is reached. */
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
