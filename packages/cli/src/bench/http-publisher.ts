import { Agent, request as httpRequest } from 'node:http';
import { Agent as SecureAgent, request as httpsRequest } from 'node:https';
import type { Target } from '../server-target.ts';

/** How long a publish can wait for its response. */
const answerMs = 30_000;

/** What became of a publish. */
export type PublishResult =
  | { readonly kind: 'acknowledged' }
  | { readonly kind: 'refused'; readonly status: number; readonly body: string }
  /** The message may have been published. */
  | { readonly kind: 'unknown'; readonly reason: string };

/** Publishes over one HTTP connection, a message at a time. */
export class HttpPublisher {
  readonly #target: Target;
  readonly #agent: Agent;

  constructor(target: Target) {
    this.#target = target;
    const options = { keepAlive: true, maxSockets: 1 };
    const { ca } = target;
    this.#agent = target.origin.startsWith('https:')
      ? new SecureAgent({ ...options, ...(ca && { ca: [...ca] }) })
      : new Agent(options);
  }

  /** Never rejects. */
  publish(topic: string, message: string): Promise<PublishResult> {
    const { name, token } = this.#target;
    const body = JSON.stringify({ topic, message });
    const send = name.startsWith('https:') ? httpsRequest : httpRequest;
    return new Promise((resolve) => {
      const fail = ({ message: reason }: Error): void => resolve({ kind: 'unknown', reason });
      const sent = send(`${name}/publish`, {
        method: 'POST',
        agent: this.#agent,
        timeout: answerMs,
        headers: {
          accept: 'application/json',
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(body),
          ...(token !== undefined && { authorization: `Bearer ${token}` }),
        },
      });
      sent.on('timeout', () => sent.destroy(new Error('no response within 30 s')));
      sent.on('error', fail);
      sent.on('response', (response) => {
        const { statusCode: status = 0 } = response;
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (piece: string) => (text = (text + piece).slice(0, 4_096)));
        response.on('error', fail);
        response.on('end', () => {
          const isDone = status >= 200 && status < 300;
          resolve(isDone ? { kind: 'acknowledged' } : { kind: 'refused', status, body: text });
        });
      });
      sent.end(body);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}
