import type { PublishAnswer } from '@fanfare/protocol';
import { Agent, request } from 'node:http';
import { sleep, within } from '../../../../test/waits.ts';

/** The time between two arrays. */
const everyMs = 1_000;

const retryMs = 50;

/** Longer than any test. */
const wholeTestMs = 1_800_000;

/** How long one array is retried: longer than any node is away. */
const retriesMs = 60_000;

/** nginx waits for a node for a minute. */
const answerMs = 90_000;

interface Answer {
  readonly isAcknowledged: boolean;
  readonly code: string;
}

/**
 * Publishes numbers to some topics: arrays of messages, one after the other. It retries each array until all
 * of it is acknowledged.
 */
export class NumberedPublisher {
  /** The number of acknowledged messages of each topic. They are 0, 1, 2 … */
  acknowledged: ReadonlyMap<string, number> = new Map();
  /** Arrays whose retries did not succeed. */
  readonly failures: string[] = [];
  retries = 0;
  readonly #url: URL;
  readonly #name: string;
  readonly #topics: readonly string[];
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });
  #isEnding = false;
  readonly #ended: Promise<void>;

  /** @param perSecond - the number of messages in an array, and one array follows in each second */
  constructor(url: string, name: string, topics: readonly string[], perSecond: number) {
    this.#url = new URL('/publish', url);
    this.#name = name;
    this.#topics = topics;
    this.#ended = this.#run(perSecond);
  }

  /** Resolves when its last message is acknowledged. */
  async end(): Promise<void> {
    this.#isEnding = true;
    await this.#ended;
    this.#agent.destroy();
  }

  async #run(perSecond: number): Promise<void> {
    let dueAt = performance.now() + Math.random() * everyMs;
    const endsAt = performance.now() + wholeTestMs;
    for (let at = 0; !this.#isEnding && performance.now() < endsAt; at += perSecond) {
      // Time itself is the test: so many messages in a second.
      await sleep(Math.max(0, dueAt - performance.now()));
      dueAt += everyMs;
      const next = new Map(this.acknowledged);
      const messages = Array.from({ length: perSecond }, (_, index) => {
        const topic = this.#topics[(at + index) % this.#topics.length] ?? '';
        const message = next.get(topic) ?? 0;
        next.set(topic, message + 1);
        return { topic, message, id: `${this.#name} ${topic} ${message}` };
      });
      if (await this.#succeeds(JSON.stringify(messages))) this.acknowledged = next;
    }
  }

  async #succeeds(body: string): Promise<boolean> {
    const endsAt = performance.now() + retriesMs;
    let last = await this.#send(body);
    while (!last.isAcknowledged && performance.now() < endsAt) {
      this.retries++;
      // Publishers that retry at once would take the processor from the servers.
      await sleep(retryMs);
      last = await this.#send(body);
    }
    if (!last.isAcknowledged) this.failures.push(`${body}: ${last.code}`);
    return last.isAcknowledged;
  }

  #send(body: string): Promise<Answer> {
    const answered = new Promise<Answer>((resolve) => {
      const lost = (error: NodeJS.ErrnoException): void =>
        resolve({ isAcknowledged: false, code: error.code ?? error.message });
      const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
      const sending = request(this.#url, { method: 'POST', agent: this.#agent, headers }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (more: string) => (text += more));
        response.once('error', lost);
        response.once('end', () => {
          const { statusCode = 0 } = response;
          // A batch is not atomic: each message has its result.
          const isAcknowledged =
            statusCode === 200 && (JSON.parse(text) as PublishAnswer[]).every(({ ok }) => ok);
          resolve({ isAcknowledged, code: `${statusCode} ${text.slice(0, 200)}` });
        });
      });
      sending.once('error', lost);
      sending.end(body);
    });
    return within(answerMs, 'a publish is answered, or its connection is lost', answered);
  }
}
