import { setTimeout as sleep } from 'node:timers/promises';
import { topic } from './subscribers.ts';

/** How soon a message without an acknowledgement is published again. */
const retryMs = 50;

/** Publishes numbers from 0, one after the other. Each is repeated until it is acknowledged. */
export class Publisher {
  readonly #running: Promise<number>;
  #isStopped = false;

  constructor(port: number, messagesPerSecond: number) {
    this.#running = this.#run(port, messagesPerSecond);
  }

  /** Resolves to the number of published messages. */
  stop(): Promise<number> {
    this.#isStopped = true;
    return this.#running;
  }

  async #run(port: number, messagesPerSecond: number): Promise<number> {
    const begun = Date.now();
    for (let number = 0; ;) {
      const dueInMs = begun + (number * 1_000) / messagesPerSecond - Date.now();
      if (dueInMs > 0) await sleep(dueInMs);
      if (this.#isStopped) return number;
      try {
        await publish(port, number, `number ${number}`);
        number++;
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
