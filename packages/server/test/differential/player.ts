import { until } from '../../../../test/waits.ts';
import type { StartedEnd } from './app.ts';
import { separator } from '../hostile/wire.ts';
import { bytesOf, type Action, type Sequence } from './actions.ts';
import { clock } from './clock.ts';
import { HappeningReader, type Happenings, type Response } from './happenings.ts';
import { at, SessionNames } from './session-names.ts';
import type { ClientConnection, OpenWire, Wire } from './wire.ts';

/** What came over one connection because of an action. */
export interface Heard extends Happenings {
  /** The connection, by the action that opened it: `2 (poll)` */
  readonly connection: string;
}

/** What an action of a sequence has caused, by connection. */
export interface Step {
  readonly action: Action;
  readonly heard: readonly Heard[];
}

export type Transcript = readonly Step[];

/** Longer than the interval in which Engine.IO looks whether an upgrade waits for a poll. */
const stepMs = 120;

/**
 * How long a client is silent in an action `wait`: longer than the ping interval, and shorter than this and
 * the ping timeout together. As long as all other actions of a sequence take less than 9 seconds, no moment
 * at which a server does something is within a second of the end of an action. So a server may be that late.
 */
const waitMs = 33_000;

/** The most actions that take less than 9 seconds. */
export const actionsMax: number = 9_000 / stepMs;

/** Plays a sequence against a server, and writes down everything that comes back. */
export async function play(sequence: Sequence, end: StartedEnd, openWire: OpenWire): Promise<Transcript> {
  // These timers are inside Node, and do not follow the clock of the test.
  Object.assign(end.http, { keepAliveTimeout: 0, headersTimeout: 0, requestTimeout: 0 });
  const client = new Client(await openWire(end.http));
  const steps: Step[] = [];
  for (const action of sequence) steps.push({ action, heard: await client.do(action) });
  client.leave();
  end.stop();
  end.http.close();
  return steps;
}

interface Connection {
  readonly name: string;
  readonly stream: ClientConnection;
  readonly reader: HappeningReader;
  readonly isWebSocket: boolean;
  /** What `finish` sends. */
  held: Buffer | undefined;
  read: number;
  isToldEnd: boolean;
  hasLeft: boolean;
  /** Whether no response has come. */
  isWaiting: boolean;
}

class Client {
  readonly #wire: Wire;
  readonly #connections: Connection[] = [];
  readonly #sids = new SessionNames();

  constructor(wire: Wire) {
    this.#wire = wire;
  }

  async do(action: Action): Promise<readonly Heard[]> {
    this.#act(action);
    if (action.do === 'wait') await this.#wait();
    await this.#settle();
    clock.pass(stepMs);
    await this.#settle();
    // Like every TCP client: it ends its side when the server has ended the other.
    for (const one of this.#connections) if (one.stream.isEnded) leave(one);
    await this.#settle();
    return this.#connections.map((each) => this.#read(each)).filter((heard) => heard !== undefined);
  }

  leave(): void {
    for (const { stream } of this.#connections) stream.destroy();
  }

  #act(action: Action): void {
    switch (action.do) {
      case 'ask':
        return this.#request(action.method ?? 'GET', action.query, action);
      case 'poll':
        return this.#poll(this.#pollingQuery(action.session), action.isExtra);
      case 'post': {
        const { session, packets, type = 'text/plain;charset=UTF-8', isHeld } = action;
        const headers = { 'content-type': type };
        const body = packets.join(separator);
        return this.#request('POST', this.#pollingQuery(session), { headers, body, isHeld });
      }
      case 'open':
        return this.#openWebSocket(action);
      case 'send': {
        const socket = at(
          this.#connections.filter(({ isWebSocket }) => isWebSocket),
          action.socket,
        );
        return socket?.stream.send(Buffer.concat(action.frames.map(bytesOf)));
      }
      case 'finish': {
        const connection = at(
          this.#connections.filter(({ held }) => held),
          action.connection,
        );
        if (!connection?.held) return;
        connection.stream.send(connection.held);
        connection.held = undefined;
        return;
      }
      case 'leave': {
        const connection = at(this.#connections, action.connection);
        if (connection) leave(connection);
        return;
      }
      case 'wait':
        return;
    }
  }

  #poll(query: string, isExtra = false): void {
    const name = this.#sids.inWords(`GET ${query}`);
    const hasPoll = this.#connections.some(
      (each) => each.name.includes(name) && each.isWaiting && !each.hasLeft,
    );
    if (!hasPoll || isExtra) this.#request('GET', query);
  }

  #pollingQuery(session: number): string {
    return `EIO=4&transport=polling&sid=${this.#sids.at(session)}`;
  }

  #request(
    method: string,
    query: string,
    {
      headers = {},
      body = '',
      isHeld = false,
    }: {
      readonly headers?: Readonly<Record<string, string>> | undefined;
      readonly body?: string | undefined;
      readonly isHeld?: boolean | undefined;
    } = {},
  ): void {
    const content = Buffer.from(body);
    const all = {
      host: 'localhost',
      ...(method !== 'GET' && { 'content-length': String(content.length) }),
      ...headers,
    };
    const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
    const head = Buffer.from(`${method} /socket.io/?${query} HTTP/1.1\r\n${lines.join('')}\r\n`);
    const sent = isHeld ? content.subarray(0, content.length - 1) : content;
    const held = isHeld ? content.subarray(sent.length) : undefined;
    this.#connect(`${method} ${query}`, false, Buffer.concat([head, sent]), held);
  }

  #openWebSocket({ query = 'EIO=4&transport=websocket', session }: Extract<Action, { do: 'open' }>): void {
    const sid = session === undefined ? '' : `&sid=${this.#sids.at(session)}`;
    const lines = [
      `GET /socket.io/?${query}${sid} HTTP/1.1`,
      'Host: localhost',
      'Connection: Upgrade',
      'Upgrade: websocket',
      'Sec-WebSocket-Version: 13',
      'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
      '\r\n',
    ];
    this.#connect(`websocket ${query}${sid}`, true, Buffer.from(lines.join('\r\n')));
  }

  #connect(name: string, isWebSocket: boolean, bytes: Buffer, held?: Buffer): void {
    const stream = this.#wire.open();
    stream.send(bytes);
    this.#connections.push({
      name: `${this.#connections.length} (${this.#sids.inWords(name)})`,
      stream,
      reader: new HappeningReader(),
      isWebSocket,
      held,
      read: 0,
      isToldEnd: false,
      hasLeft: false,
      isWaiting: true,
    });
  }

  #read(connection: Connection): Heard | undefined {
    const { stream, reader, read, name } = connection;
    const isEnded = stream.isEnded;
    const happened = reader.read(stream.received.slice(read), isEnded);
    connection.read = stream.received.length;
    const { responses, frames } = happened;
    if (responses.length === 0 && frames.length === 0 && isEnded === connection.isToldEnd) return undefined;
    connection.isToldEnd = isEnded;
    connection.isWaiting = false;
    return {
      ...happened,
      connection: name,
      responses: responses.map((response) => this.#named(response)),
      frames: frames.map((frame) => this.#sids.inWords(frame)),
    };
  }

  #named(response: Response): Response {
    return { ...response, body: this.#sids.inWords(response.body) };
  }

  async #wait(): Promise<void> {
    for (let ms = 0; ms < waitMs; ms += 1_000) {
      clock.pass(1_000);
      await this.#settle();
    }
  }

  /** Waits until the server does nothing more by itself. */
  async #settle(): Promise<void> {
    let [quiet, last] = [0, -1];
    await until(
      'the server has done everything',
      () => {
        const now = this.#connections.reduce(
          (sum, { stream }) => sum + stream.received.length + Number(stream.isEnded),
          0,
        );
        quiet = now === last ? quiet + 1 : 0;
        last = now;
        return quiet >= this.#wire.quietTurns;
      },
      {
        step: turn,
        soFar: () => this.#connections.map(({ name, stream }) => [name, stream.received.slice(-200)]),
      },
    );
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}

function leave(connection: Connection): void {
  if (!connection.hasLeft) connection.stream.leave();
  connection.hasLeft = true;
}
