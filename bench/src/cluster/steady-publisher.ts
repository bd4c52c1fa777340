import { setTimeout as sleep } from 'node:timers/promises';
import { publish } from '../continuity/publisher.ts';

/** How soon a publish without an acknowledgement is repeated. */
const retryMs = 50;

/**
 * Publishes at a steady rate over HTTP, whatever happens to earlier publishes. Each is repeated, with its id,
 * until it is acknowledged.
 */
export class SteadyPublisher {
  readonly acknowledgedMs: number[] = [];
  readonly #port: number;
  readonly #publishes: Promise<void>[] = [];
  readonly #timer: NodeJS.Timeout;
  #refusals = 0;
  #isAbandoned = false;

  constructor(port: number, messagesPerSecond: number) {
    this.#port = port;
    const beganMs = performance.now();
    this.#timer = setInterval(() => {
      const due = ((performance.now() - beganMs) * messagesPerSecond) / 1e3;
      while (this.#publishes.length < due) this.#publishes.push(this.#publish(this.#publishes.length));
    }, 1);
  }

  get published(): number {
    return this.#publishes.length;
  }

  /** How often a publish was repeated. */
  get refusals(): number {
    return this.#refusals;
  }

  /** Resolves once all publishes are acknowledged. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#publishes);
  }

  /** Publishes no more, and repeats nothing. */
  abandon(): void {
    clearInterval(this.#timer);
    this.#isAbandoned = true;
  }

  async #publish(number: number): Promise<void> {
    while (!this.#isAbandoned) {
      try {
        await publish(this.#port, number, `number ${number}`);
        this.acknowledgedMs.push(performance.now());
        return;
      } catch {
        this.#refusals++;
        await sleep(retryMs);
      }
    }
  }
}
