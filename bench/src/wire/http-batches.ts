import type { BatchAnswer, BatchEvents, BatchPublisher, BatchWire } from './batches.ts';
import { askOnce, HttpConnection } from './http.ts';

/**
 * Fanfare's `POST /publish` with an array.
 *
 * @param stored - the level of storage that every answer has to name
 */
export function httpBatchWire(stored: 'none' | 'memory' | 'disk'): BatchWire {
  return {
    isStored: stored !== 'none',
    open: (port, events) => new HttpBatchPublisher(port, stored, events),
    createTopic: async (port, topic) => {
      const { status, body } = await askOnce(port, (http) => http.put(`/topics/${topic}`));
      if (status !== 201)
        throw new Error(`The topic could not be created: the server answered ${status} ${body}.`);
    },
    count: async (port, topic) => {
      const { status, body } = await askOnce(port, (http) => http.get(`/topics/${topic}`));
      if (status !== 200)
        throw new Error(`The topic could not be read: the server answered ${status} ${body}.`);
      return (JSON.parse(body) as { readonly messages: number }).messages;
    },
  };
}

class HttpBatchPublisher implements BatchPublisher {
  readonly #http: HttpConnection;
  #size = 0;

  constructor(port: number, stored: string, { onAnswer, onFailure }: BatchEvents) {
    this.#http = new HttpConnection(port, {
      onResponse: (status, bytes, bodyStart, bodyEnd) => {
        const body = bytes.toString('latin1', bodyStart, bodyEnd);
        const answer = status === 200 ? readBatchAnswer(body, this.#size, stored) : undefined;
        if (typeof answer === 'object') onAnswer(answer);
        else onFailure(answer ?? `the server answered a batch with ${status} ${body.slice(0, 500)}`);
      },
      onFailure,
    });
  }

  publish(topic: string, messages: readonly string[]): void {
    this.#size = messages.length;
    const start = `{"topic":"${topic}","message":"`;
    this.#http.post('/publish', 'application/json', `[${start}${messages.join(`"},${start}`)}"}]`);
  }

  close(): void {
    this.#http.close();
  }
}

interface Accepted {
  readonly ok: boolean;
  readonly stored?: string;
  readonly offset?: string;
}

/**
 * Checks that every message of a batch was accepted, and is stored as it has to be.
 *
 * @returns the answer, or a sentence that says what is wrong
 */
export function readBatchAnswer(body: string, size: number, stored: string): BatchAnswer | string {
  const answers = JSON.parse(body) as readonly Accepted[];
  if (answers.length !== size) return `the server answered ${answers.length} of ${size} messages`;
  const wrong = answers.find((answer) => !answer.ok || answer.stored !== stored);
  if (wrong) return `the server answered a message with ${JSON.stringify(wrong)}`;
  if (stored === 'none') return { sequences: undefined };
  const sequences = answers.map(({ offset = '' }) => Number(offset.slice(offset.indexOf('.') + 1)));
  return { sequences };
}
