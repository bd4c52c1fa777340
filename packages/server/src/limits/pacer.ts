import { setImmediate as nextTurn } from 'node:timers/promises';

/** How long a loop may run before it yields, in milliseconds: short beside what a network takes anyway. */
const sliceMs = 2;

/**
 * Yields to the event loop in loops that may take long, so that all other clients are served in between.
 *
 *     const pacer = new Pacer();
 *     for (const item of items) {
 *       if (pacer.isDue) await pacer.yield();
 *       work(item);
 *     }
 */
export class Pacer {
  readonly #now: () => number;
  #endsAt: number;

  /** @param now - a monotonic clock, in milliseconds */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
    this.#endsAt = now() + sliceMs;
  }

  /** Whether the loop has run for as long as it may. */
  get isDue(): boolean {
    return this.#now() >= this.#endsAt;
  }

  /** Resolves in a later turn of the event loop, where the next slice begins. */
  async yield(): Promise<void> {
    await nextTurn();
    this.#endsAt = this.#now() + sliceMs;
  }
}
