import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import { startListening, until } from '../../../../test/waits.ts';

/** A secret as Standard Webhooks writes it. */
export const secret = `whsec_${Buffer.from('a secret of 32 bytes for testing').toString('base64')}`;

/** A request that a receiver got. */
export interface Got {
  readonly id: string;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  readonly body: Body;
}

interface Body {
  readonly type: string;
  readonly timestamp: string;
  readonly data: { readonly topic: string; readonly message?: unknown; readonly offset?: string };
  readonly gap?: { readonly dropped?: number };
}

/** Answers a request in any way; a receiver by default accepts. */
type Behaviour = (got: Got, response: ServerResponse, socket: Socket) => void;

export const accept: Behaviour = (_got, response) => void response.writeHead(204).end();

export function answer(status: number, headers: Readonly<Record<string, string>> = {}): Behaviour {
  return (_got, response) => void response.writeHead(status, headers).end();
}

/** A real receiver of webhooks. Closed when the test ends. */
export class TestReceiver {
  /** All requests, in the order in which they came. */
  readonly got: Got[] = [];
  /** Those that were answered with 204 by {@link accept}. */
  readonly accepted: Got[] = [];
  behaviour: Behaviour = accept;
  /** The most requests that waited for an answer at the same time. */
  openMax = 0;
  #open = 0;
  readonly #server = createServer((request, response) => {
    this.openMax = Math.max(this.openMax, ++this.#open);
    response.on('close', () => this.#open--);
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => void chunks.push(chunk));
    request.on('end', () => {
      const text = Buffer.concat(chunks).toString();
      const { headers, socket } = request;
      const got = { id: String(headers['webhook-id']), headers, text, body: JSON.parse(text) as Body };
      this.got.push(got);
      const { behaviour } = this;
      if (behaviour === accept) this.accepted.push(got);
      behaviour(got, response, socket);
    });
  });
  url = '';

  static async start(): Promise<TestReceiver> {
    const receiver = new TestReceiver();
    const server = receiver.#server;
    receiver.url = `http://127.0.0.1:${await startListening(server)}/hook?token=hidden`;
    onTestFinished(() => {
      server.closeAllConnections();
      server.close();
    });
    return receiver;
  }

  /** The messages that were accepted, without repeats, by topic. */
  get messages(): Readonly<Record<string, unknown[]>> {
    const messages: Record<string, unknown[]> = {};
    const ids = new Set<string>();
    for (const { id, body } of this.accepted) {
      if (body.type !== 'message' || ids.has(id)) continue;
      ids.add(id);
      (messages[body.data.topic] ??= []).push(body.data.message);
    }
    return messages;
  }

  async accepts(count: number): Promise<void> {
    const soFar = (): unknown => this.accepted.map(({ text }) => text);
    await until(`the receiver accepts ${count} requests`, () => this.accepted.length >= count, { soFar });
  }

  async gets(count: number): Promise<void> {
    const soFar = (): unknown => this.got.map(({ text }) => text);
    await until(`the receiver gets ${count} requests`, () => this.got.length >= count, { soFar });
  }
}

/** Verifies a request as the specification of Standard Webhooks says, with another implementation. */
export async function isAuthentic(
  { headers, text }: Pick<Got, 'headers' | 'text'>,
  by = secret,
): Promise<boolean> {
  const hmac = { name: 'HMAC', hash: 'SHA-256' };
  const bytes = Buffer.from(by.slice('whsec_'.length), 'base64');
  const key = await crypto.subtle.importKey('raw', bytes, hmac, false, ['verify']);
  const signed = new TextEncoder().encode(
    `${String(headers['webhook-id'])}.${String(headers['webhook-timestamp'])}.${text}`,
  );
  for (const signature of String(headers['webhook-signature']).split(' ')) {
    const [version, base64 = ''] = signature.split(',');
    if (version === 'v1' && (await crypto.subtle.verify('HMAC', key, Buffer.from(base64, 'base64'), signed)))
      return true;
  }
  return false;
}
