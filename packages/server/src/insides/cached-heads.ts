import { ServerResponse } from 'node:http';
import { untilTurn, type MemoryConnection } from './memory-connection.ts';
import { get, rehearse } from './node-rehearsal.ts';
import { expectSame } from './trial.ts';

/** Sends a response with status 200. */
export type SendText = (response: ServerResponse, body: string) => void;

/** @param headers - names and values in turn, without `content-length` */
export type TextSender = (headers: readonly string[]) => SendText;

/** Node's documented way. */
export const sendByNode: TextSender = (headers) => (response, body) => {
  const bytes = Buffer.byteLength(body);
  const head: (string | number)[] = [...headers, 'content-length', bytes];
  // Node writes the head and the body of ASCII characters as one string.
  response.writeHead(200, head as string[]).end(body, bytes === body.length ? 'latin1' : 'utf8');
};

/** What Node has for itself in a response. */
interface Inside {
  /** The head that `writeHead` makes, and that `end` sends. */
  _header?: unknown;
  /** What the head depends on, besides the headers and the date. */
  readonly _keepAliveTimeout?: unknown;
  readonly _maxRequestsPerSocket?: unknown;
}

/** Each head is for a body of another length. */
const headsMax = 256;

/**
 * Sends the same bytes as {@link sendByNode} with less work. Within a second, all responses with bodies of the
 * same length have the same head. Node makes the first one, and the others get a copy of it with their body.
 * So Node sends all of a response in one write, and finishes the response as usual.
 *
 * @param now - the clock of the header `Date`
 */
export function sendWithCachedHead(headers: readonly string[], now: () => number = Date.now): SendText {
  const send = sendByNode(headers);
  const heads = new Map<number, string>();
  let second = 0;
  let keepAliveTimeout: unknown;

  return (response, body) => {
    const { length } = body;
    if (Buffer.byteLength(body) !== length || !isPlain(response)) return send(response, body);
    const inside = response as Inside;
    const currentSecond = Math.floor(now() / 1_000);
    if (currentSecond !== second || inside._keepAliveTimeout !== keepAliveTimeout) {
      heads.clear();
      second = currentSecond;
      keepAliveTimeout = inside._keepAliveTimeout;
    }
    const head = heads.get(length);
    if (head !== undefined) {
      response.statusMessage = 'OK';
      inside._header = head + body;
      response.end();
      return;
    }
    send(response, body);
    if (heads.size >= headsMax) heads.clear();
    if (typeof inside._header === 'string') heads.set(length, inside._header);
  };
}

/** Libraries replace these methods to change responses. */
const [writeHead, end] = ['writeHead', 'end'].map(
  (name) => Reflect.get(ServerResponse.prototype, name) as unknown,
);

/** Whether an app or a library has changed nothing about a response, and its connection stays open. */
function isPlain(response: ServerResponse): boolean {
  return (
    response.shouldKeepAlive &&
    // The head of the last response that a limit allows is different.
    !(response as Inside)._maxRequestsPerSocket &&
    response.sendDate &&
    !response.headersSent &&
    (response.statusMessage as string | undefined) === undefined &&
    response.writeHead === writeHead &&
    response.end === end &&
    response.getHeaderNames().length === 0
  );
}

export async function tryCachedHeads(): Promise<void> {
  const headers = ['vary', 'Origin', 'content-type', 'text/plain'];
  const expected = await converse(sendByNode(headers));
  const found = await converse(sendWithCachedHead(headers, () => 0));
  for (const [at, [what, value]] of found.seen.entries()) expectSame(what, value, expected.seen[at]?.[1]);
  const cached = ['second', 'pipelined', 'next', 'after', 'slow', 'late'];
  expectSame('what has a cached head', found.cached, cached);
}

/** All that is seen when responses are sent this way. */
async function converse(send: SendText): Promise<Conversation> {
  const conversation = new Conversation(send);
  await conversation.keepAlive();
  await conversation.limitRequests();
  await conversation.close();
  return conversation;
}

class Conversation {
  /** What was seen, and what it was. */
  readonly seen: (readonly [what: string, value: unknown])[] = [];
  /** The names of the responses that had a cached head. */
  readonly cached: string[] = [];
  readonly #send: SendText;

  constructor(send: SendText) {
    this.#send = send;
  }

  async keepAlive(): Promise<void> {
    const { server, connection, exchange } = rehearse();
    const timeouts: number[] = [];
    Object.assign(connection, { setTimeout: (ms: number) => timeouts.push(ms) });
    const names = ['first', 'second', 'pipelined', 'next', 'other timeout', 'after', 'slow', 'late'];
    for (const [at, name] of names.entries()) {
      if (name === 'other timeout') server.keepAliveTimeout += 2_000;
      if (name !== 'next') connection.arrive(name === 'pipelined' ? get + get : get);
      const { response } = await exchange(at + 1);
      if (name === 'late') connection.destroy();
      await this.#answer(name, response, connection, name === 'slow' ? holdWrite(connection) : undefined);
    }
    this.seen.push(['the timeouts of a connection', timeouts]);
  }

  async limitRequests(): Promise<void> {
    const { server, connection, exchange } = rehearse();
    server.maxRequestsPerSocket = 2;
    for (const [at, name] of ['limited', 'last'].entries()) {
      connection.arrive(get);
      await this.#answer(name, (await exchange(at + 1)).response, connection);
    }
  }

  async close(): Promise<void> {
    const { connection, exchange } = rehearse();
    connection.arrive(get.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'));
    await this.#answer('closing', (await exchange(1)).response, connection);
    await untilTurn('the end of a connection', () => connection.writableEnded);
  }

  async #answer(
    name: string,
    response: ServerResponse,
    connection: MemoryConnection,
    goOn?: () => void,
  ): Promise<void> {
    const events: string[] = [];
    for (const event of ['prefinish', 'finish', 'close']) response.on(event, () => events.push(event));
    const look = (when: string): void => {
      const { headersSent, writableEnded, writableFinished, statusCode, statusMessage } = response;
      const isWaiting = connection.writableLength > 0;
      const state = { headersSent, writableEnded, writableFinished, statusCode, statusMessage, isWaiting };
      this.seen.push([`a ${name} response that is ${when}`, { ...state, events: events.join(' ') }]);
    };
    const body = name.padEnd(16);
    this.#send(response, body);
    if (String((response as Inside)._header).endsWith(body)) this.cached.push(name);
    look('sent');
    goOn?.();
    await untilTurn(`the end of a ${name} response`, () => events.includes('close'));
    look('closed');
    this.seen.push([`the text of a ${name} response`, connection.sent.replace(/(?<=\r\nDate: )[^\r]+/, '')]);
    connection.sent = '';
  }
}

/** Has the next write of a connection wait. @returns goes on with it */
function holdWrite(connection: MemoryConnection): () => void {
  const write = connection._write.bind(connection);
  let goOn = (): void => {};
  connection._write = (chunk, encoding, done) => {
    connection._write = write;
    goOn = () => write(chunk, encoding, done);
  };
  return () => goOn();
}
