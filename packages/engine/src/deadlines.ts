/**
 * Items that are due a fixed time after they were added. Because the time is the same for all, they become
 * due in the order in which they were added, and one timer serves them all. A timer for each session would
 * cost every idle connection some hundred bytes.
 */
export class Deadlines<T> {
  readonly #ms: () => number;
  readonly #onDue: (item: T) => void;
  readonly #dueAt = new Map<T, number>();
  #timer: NodeJS.Timeout | undefined;

  /** @param ms - the time; a function if it can change */
  constructor(ms: number | (() => number), onDue: (item: T) => void) {
    this.#ms = typeof ms === 'number' ? () => ms : ms;
    this.#onDue = onDue;
  }

  has(item: T): boolean {
    return this.#dueAt.has(item);
  }

  /** If the item was added before, its time begins anew. */
  add(item: T): void {
    this.#dueAt.delete(item);
    const ms = this.#ms();
    this.#dueAt.set(item, performance.now() + ms);
    if (!this.#timer) this.#wait(ms);
  }

  delete(item: T): void {
    this.#dueAt.delete(item);
  }

  #wait(ms: number): void {
    this.#timer = setTimeout(() => this.#run(), Math.ceil(ms)).unref();
  }

  #run(): void {
    this.#timer = undefined;
    const now = performance.now();
    for (const [item, dueAt] of this.#dueAt) {
      if (dueAt > now) {
        if (!this.#timer) this.#wait(dueAt - now);
        return;
      }
      this.#dueAt.delete(item);
      this.#onDue(item);
    }
  }
}
