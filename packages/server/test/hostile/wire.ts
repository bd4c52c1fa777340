import { once } from 'node:events';
import { onTestFinished } from 'vitest';
import { WebSocket, type RawData } from 'ws';
import { soonMs, until, within } from '../../../../test/waits.ts';

/** Otherwise a server that stops would wait for further requests on the connection. */
export const lastOfConnection = { connection: 'close' } as const;

/** The separator between the packets of a payload. */
export const separator = '\u001e';

/** The path and query of a request to Engine.IO. */
export function engineUrl(url: string, query: Readonly<Record<string, string>>): string {
  return `${url}/socket.io/?${new URLSearchParams(query).toString()}`;
}

/** The server's data about a new session. */
export interface Opened {
  readonly sid: string;
  readonly upgrades: readonly string[];
  readonly pingInterval: number;
  readonly pingTimeout: number;
  readonly maxPayload: number;
}

/** A packet of type open. */
export function parseOpen(packet: string): Opened {
  if (!packet.startsWith('0')) throw new Error(`${packet} is no packet of type open`);
  return JSON.parse(packet.slice(1)) as Opened;
}

/** A client without Socket.IO's client: bare HTTP. */
export interface RawClient {
  /** Sends packets unchanged. */
  send(...packets: readonly string[]): Promise<void>;
  /** The next packet. Rejects if the connection ends before. */
  next(): Promise<string>;
  /** Resolves once the server has ended the session; pings and pongs do not count. */
  ended(): Promise<void>;
}

export class RawPolling implements RawClient {
  readonly url: string;
  readonly opened: Opened;
  readonly #queue: string[] = [];

  private constructor(url: string, opened: Opened) {
    this.url = engineUrl(url, { EIO: '4', transport: 'polling', sid: opened.sid });
    this.opened = opened;
  }

  static async open(url: string): Promise<RawPolling> {
    const response = await fetch(engineUrl(url, { EIO: '4', transport: 'polling' }), {
      headers: lastOfConnection,
    });
    const session = new RawPolling(url, parseOpen(await response.text()));
    // A poll that is open would keep the server from stopping.
    onTestFinished(async () => {
      await session.post('1').catch(() => {});
    });
    return session;
  }

  post(body: string): Promise<{ readonly status: number; readonly text: string }> {
    return told(fetch(this.url, { method: 'POST', body, headers: lastOfConnection }));
  }

  poll(): Promise<{ readonly status: number; readonly text: string }> {
    return told(fetch(this.url, { headers: lastOfConnection }));
  }

  async send(...packets: readonly string[]): Promise<void> {
    const { status, text } = await this.post(packets.join(separator));
    if (status !== 200 || text !== 'ok') throw new Error(`the server took it with ${status} ${text}`);
  }

  async next(): Promise<string> {
    const step = async (): Promise<void> => {
      const { status, text } = await this.poll();
      if (status !== 200) throw new Error(`the server answered ${status} ${text}`);
      this.#queue.push(...text.split(separator));
    };
    await until('a poll brings the next packet', () => this.#queue.length > 0, { step });
    return this.#queue.shift() ?? '';
  }

  async ended(): Promise<void> {
    await until('the server has ended the session', async () => (await this.poll()).status !== 200);
  }
}

async function told(answer: Promise<Response>): Promise<{ readonly status: number; readonly text: string }> {
  const response = await answer;
  return { status: response.status, text: await response.text() };
}

/** A bare WebSocket. */
export class RawWebSocket implements RawClient {
  readonly socket: WebSocket;
  readonly #queue: (string | Buffer)[] = [];
  #wake = (): void => {};

  /** @param query - beside the version and the transport */
  constructor(url: string, query: Readonly<Record<string, string>> = {}, options: object = {}) {
    const target = engineUrl(url, { EIO: '4', transport: 'websocket', ...query });
    this.socket = new WebSocket(target.replace('http', 'ws'), options);
    this.socket.on('error', () => {});
    this.socket.on('message', (data: RawData, isBinary: boolean) => {
      this.#queue.push(isBinary ? (data as Buffer) : (data as Buffer).toString());
      this.#wake();
    });
    this.socket.once('close', () => this.#wake());
    onTestFinished(() => this.socket.terminate());
  }

  /** Opens a session, and reads its first packet. */
  static async open(url: string): Promise<RawWebSocket> {
    const client = new RawWebSocket(url);
    parseOpen(await client.next());
    return client;
  }

  async send(...packets: readonly (string | Buffer)[]): Promise<void> {
    if (this.socket.readyState === WebSocket.CONNECTING)
      await within(soonMs, 'the websocket opens', once(this.socket, 'open'));
    for (const packet of packets) this.socket.send(packet);
  }

  async next(): Promise<string> {
    const packet = await this.nextOf();
    if (typeof packet !== 'string') throw new Error('the server sent binary data');
    return packet;
  }

  async nextOf(): Promise<string | Buffer> {
    await until('the websocket brings the next packet', () => this.#queue.length > 0, {
      step: () => this.#changed(),
    });
    return this.#queue.shift() ?? '';
  }

  async ended(): Promise<void> {
    const isClosed = (): boolean => this.socket.readyState === WebSocket.CLOSED;
    const step = (): Promise<void> => new Promise<void>((resolve) => (this.#wake = resolve));
    await until('the server has closed the websocket', isClosed, { step, soFar: () => this.#queue });
  }

  async #changed(): Promise<void> {
    if (this.socket.readyState === WebSocket.CLOSED) throw new Error('the server closed the connection');
    await new Promise<void>((resolve) => (this.#wake = resolve));
  }
}

/** Both transports, by name. */
export const rawTransports: readonly (readonly [string, (url: string) => Promise<RawClient>])[] = [
  ['polling', async (url) => RawPolling.open(url)],
  ['websocket', async (url) => RawWebSocket.open(url)],
];

/** The session id that the server gave in the main namespace. */
export async function connectRawClient(client: RawClient, auth = ''): Promise<string> {
  await client.send(`40${auth}`);
  const answer = await client.next();
  if (!answer.startsWith('40{')) throw new Error(`the server answered ${answer}`);
  return (JSON.parse(answer.slice(2)) as { sid: string }).sid;
}
