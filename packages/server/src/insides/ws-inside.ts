import type { IncomingMessage } from 'node:http';
import { Writable } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { WebSocketServer, type WebSocket } from 'ws';
import type { Logger } from '../observability/logger.ts';
import { MemoryConnection, untilTurn } from './memory-connection.ts';
import { asCount, expectSame, isAsKnown } from './trial.ts';

/*
 * All that the server knows of the inside of ws is in this file, with the trials that it has to pass at start.
 */

/** ws's reader of frames. */
export type Receiver = Writable;

type Write = (this: Receiver, chunk: Buffer, encoding: string, done: (error?: Error) => void) => void;

/** The parts of a receiver that are used, none of them documented. */
interface ReceiverInside {
  /** What has come of a frame, as it came. */
  _buffers: unknown;
  readonly _bufferedBytes: unknown;
  /** What has come of a message in whole frames, and how much that is. */
  _fragments: unknown;
  readonly _messageLength: unknown;
  /** The option `allowSynchronousEvents`, which is asked for each message anew. */
  _allowSynchronousEvents: boolean;
  _write: Write;
  createError(type: ErrorConstructor, message: string, prefix: boolean, status: number, code: string): Error;
}

/** What has come of a message that is not whole. */
export interface Arrived {
  readonly bytes: number;
  /** The buffers that hold it. */
  readonly pieces: number;
}

export function receiverOf(webSocket: object): Receiver | undefined {
  const { _receiver: receiver } = webSocket as { readonly _receiver?: unknown };
  return receiver instanceof Writable ? receiver : undefined;
}

/** Undefined when that cannot be told. */
export function arrivedOf(receiver: Receiver): Arrived | undefined {
  const { _buffers, _bufferedBytes, _fragments, _messageLength } = insideOf(receiver);
  const [ofFrame, inFrames] = [asCount(_bufferedBytes), asCount(_messageLength)];
  if (ofFrame === undefined || inFrames === undefined) return undefined;
  if (!Array.isArray(_buffers) || !Array.isArray(_fragments)) return undefined;
  return { bytes: ofFrame + inFrames, pieces: _buffers.length + _fragments.length };
}

/** Lets go of what has come. The receiver is of no use then. */
export function forgetArrived(receiver: Receiver): void {
  Object.assign(receiver, { _buffers: [], _fragments: [] });
}

/** Has each piece that comes given to `write`, which passes it on with {@link readOn}, or ends the websocket with a {@link refusal}. */
export function readThrough(receiver: Receiver, write: Write): void {
  insideOf(receiver)._write = write;
}

export function readOn(...[receiver, ...piece]: [Receiver, ...Parameters<Write>]): void {
  (Object.getPrototypeOf(receiver) as ReceiverInside)._write.call(receiver, ...piece);
}

/** @param status - what the websocket is closed with */
export function refusal(receiver: Receiver, message: string, status: number, code: string): Error {
  return insideOf(receiver).createError(Error, message, false, status, code);
}

function insideOf(receiver: Receiver): ReceiverInside {
  return receiver as unknown as ReceiverInside;
}

/** The receivers that can be made to tell one message in each turn of the event loop; an app's Socket.IO has its own ws. */
export class PacedReceivers {
  /** Whether those of a class passed the trial. */
  readonly #passed = new WeakMap<object, boolean>();
  readonly #logger: Logger;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** Undefined when the websocket has none, or its trial was not passed, or not yet. */
  of(webSocket: object): Receiver | undefined {
    const receiver = receiverOf(webSocket);
    if (receiver === undefined) return undefined;
    const passed = this.#passed.get(receiver.constructor);
    if (passed === undefined) void this.passes(receiver);
    return passed ? receiver : undefined;
  }

  /** Tries the class of a receiver. */
  async passes(receiver: Receiver | undefined): Promise<boolean> {
    const constructor = receiver?.constructor;
    if (constructor) this.#passed.set(constructor, false);
    const trial = {
      inside: "The pace of ws's receiver",
      instead: noPace,
      run: () => tryPace(constructor as ReceiverClass | undefined),
    };
    const passes = await isAsKnown(trial, this.#logger);
    if (constructor) this.#passed.set(constructor, passes);
    return passes;
  }
}

/** @param isSlow - whether it tells one message in each turn of the event loop; else all that it has at once */
export function setPace(receiver: Receiver, isSlow: boolean): void {
  insideOf(receiver)._allowSynchronousEvents = !isSlow;
}

export interface WsInside {
  /** Whether the server can read what has come of messages that are not whole, and refuse more. */
  readonly tellsArrived: boolean;
  /** Whether the server can set the pace of a receiver. */
  readonly isPaced: boolean;
  readonly paced: PacedReceivers;
}

/** Tries the ws of this package. */
export async function tryWs(logger: Logger): Promise<WsInside> {
  const paced = new PacedReceivers(logger);
  const tellsArrived = await isAsKnown(
    {
      inside: 'The memory of ws for messages that are not whole',
      instead:
        'Fanfare counts the bytes of the TCP connection instead. A client that exceeds the limit is disconnected without a reason, and so is one that sends a message in more than 512 fragments.',
      run: tryArrived,
    },
    logger,
  );
  return { tellsArrived, isPaced: await paced.passes(upgradeInMemory().receiver), paced };
}

const noPace =
  'Fanfare takes less at a time from websockets: clients that send many messages at once are served more slowly.';

interface Upgraded {
  readonly connection: MemoryConnection;
  readonly webSocket: WebSocket | undefined;
  readonly receiver: Receiver | undefined;
}

function upgradeInMemory(): Upgraded {
  const connection = new MemoryConnection();
  const headers = {
    upgrade: 'websocket',
    'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
    'sec-websocket-version': '13',
  };
  const request = { method: 'GET', url: '/', headers } as unknown as IncomingMessage;
  const upgraded: WebSocket[] = [];
  const server = new WebSocketServer({ noServer: true });
  server.handleUpgrade(request, connection, Buffer.alloc(0), (webSocket) => upgraded.push(webSocket));
  const [webSocket] = upgraded;
  webSocket?.on('error', () => {});
  return { connection, webSocket, receiver: webSocket && receiverOf(webSocket) };
}

const textFrame = 0x01;
const lastFrame = 0x80;

/** A frame of a client, whose mask is zeros. */
function frame(first: number, text: string): Buffer {
  return Buffer.concat([Buffer.from([first, 0x80 | text.length, 0, 0, 0, 0]), Buffer.from(text)]);
}

/** Of the status codes of a websocket. */
const tryAgainLater = 1013;

async function tryArrived(): Promise<void> {
  const { connection, webSocket, receiver } = upgradeInMemory();
  if (!webSocket || !receiver) throw new Error(noReceiver);
  try {
    const messages: string[] = [];
    webSocket.on('message', (data: Buffer) => messages.push(data.toString()));
    let pieces = 0;
    readThrough(receiver, function (...piece) {
      pieces++;
      readOn(this, ...piece);
    });
    const arrive = async (bytes: Buffer, count: number, expected: Arrived): Promise<void> => {
      connection.arrive(bytes);
      await untilTurn(`reading piece ${count}`, () => pieces === count);
      expectSame('what has come', arrivedOf(receiver), expected);
    };
    const last = frame(lastFrame, 'cde');
    await arrive(frame(textFrame, 'ab'), 1, { bytes: 2, pieces: 1 });
    await arrive(last.subarray(0, 7), 2, { bytes: 3, pieces: 2 });
    await arrive(last.subarray(7), 3, { bytes: 0, pieces: 0 });
    expectSame('the message', messages, ['abcde']);
    await arrive(frame(textFrame, 'ab'), 4, { bytes: 2, pieces: 1 });
    await tryRefusal(connection, receiver);
  } finally {
    webSocket.terminate();
  }
}

async function tryRefusal(connection: MemoryConnection, receiver: Receiver): Promise<void> {
  const code = 'ERR_TOO_MUCH';
  let made = {} as Error & { readonly code?: string } & Record<symbol, unknown>;
  const status = (): unknown => made[Object.getOwnPropertySymbols(made)[0] ?? Symbol.iterator];
  readThrough(receiver, function (_chunk, _encoding, done) {
    forgetArrived(this);
    made = refusal(this, 'Too much', tryAgainLater, code) as typeof made;
    // Over a wrong status ws would throw where nobody could catch that.
    if (status() === tryAgainLater) done(made);
  });
  connection.sent = '';
  connection.arrive(frame(lastFrame, 'cde'));
  await untilTurn('a refusal', () => made.code !== undefined);
  expectSame('a refusal', [made.message, made.code, status()], ['Too much', code, tryAgainLater]);
  expectSame('what is kept of what was refused', arrivedOf(receiver)?.pieces, 0);
  await untilTurn('closing', () => connection.sent.length >= 4);
  // With that status.
  expectSame('the closing frame', connection.sent.slice(0, 4), '\u0088\u0002\u0003\u00F5');
}

type ReceiverClass = new (options: object) => Receiver;

const noReceiver = 'a websocket has no receiver';

async function tryPace(ReceiverOf: ReceiverClass | undefined): Promise<void> {
  if (!ReceiverOf) throw new Error(noReceiver);
  const receiver = new ReceiverOf({ isServer: true });
  const messages: string[] = [];
  receiver.on('message', (data: Buffer) => messages.push(data.toString()));
  setPace(receiver, true);
  const frames = ['a', 'b', 'c'].map((text) => frame(textFrame | lastFrame, text));
  receiver.write(Buffer.concat(frames));
  expectSame('what is told at once', messages, []);
  await nextTurn();
  expectSame('what is told in one turn', messages, ['a']);
  expectSame('having more to tell', receiver.writableLength > 0, true);
  setPace(receiver, false);
  await untilTurn('telling the rest', () => receiver.writableLength === 0);
  expectSame('what is told in all', messages, ['a', 'b', 'c']);
}
