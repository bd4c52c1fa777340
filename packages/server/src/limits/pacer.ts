import { setImmediate as nextTurn } from 'node:timers/promises';

/**
 * How long a loop can run before it yields, in milliseconds. The delay is short compared with that of a
 * network.
 */
const sliceMs = 2;

/**
 * Yields to the event loop in loops that can take long, so that other clients are served in between.
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

  /** Whether the time of the loop is used up. */
  get isDue(): boolean {
    return this.#now() >= this.#endsAt;
  }

  /** Resolves in a later turn of the event loop. The next slice begins then. */
  async yield(): Promise<void> {
    await nextTurn();
    this.#endsAt = this.#now() + sliceMs;
  }
}
