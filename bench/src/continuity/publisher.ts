import { setTimeout as sleep } from 'node:timers/promises';
import { topic } from './subscribers.ts';

/** How soon a message without an acknowledgement is published again. */
const retryMs = 50;

/** Publishes numbers, one after the other. Each is repeated until it is acknowledged. */
export class Publisher {
  /** The longest time from the first attempt to publish a message until its acknowledgement. */
  longestMs = 0;
  readonly #running: Promise<number>;
  #isStopped = false;

  /** @param first - the first number */
  constructor(port: number, messagesPerSecond: number, first = 0) {
    this.#running = this.#run(port, messagesPerSecond, first);
  }

  /** Resolves to the number of published messages. */
  stop(): Promise<number> {
    this.#isStopped = true;
    return this.#running;
  }

  async #run(port: number, messagesPerSecond: number, first: number): Promise<number> {
    const begun = performance.now();
    let triedSince: number | undefined;
    for (let count = 0; ;) {
      const dueInMs = begun + (count * 1_000) / messagesPerSecond - performance.now();
      if (dueInMs > 0) await sleep(dueInMs);
      if (this.#isStopped) return count;
      triedSince ??= performance.now();
      try {
        await publish(port, first + count, `number ${first + count}`);
        this.longestMs = Math.max(this.longestMs, performance.now() - triedSince);
        triedSince = undefined;
        count++;
      } catch {
        await sleep(retryMs);
      }
    }
  }
}

/** Publishes directly to the server, past the proxy. Rejects if there is no acknowledgement. */
export async function publish(port: number, message: number, id?: string): Promise<void> {
  const { ok, status } = await fetch(`http://127.0.0.1:${port}/publish`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ topic, message, id }),
  });
  if (!ok) throw new Error(`HTTP ${status}`);
}
