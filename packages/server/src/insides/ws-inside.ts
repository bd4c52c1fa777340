import type { IncomingMessage } from 'node:http';
import { Writable } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { WebSocketServer, type WebSocket } from 'ws';
import type { Logger } from '../observability/logger.ts';
import { MemoryConnection, untilTurn } from './memory-connection.ts';
import { asCount, expectSame, isAsKnown } from './trial.ts';

/*
 * Everything that the server uses of ws and that ws does not document. Each use is tried at start.
 */

/** ws's parser of frames. */
export type Receiver = Writable;

export type Write = (this: Receiver, chunk: Buffer, encoding: string, done: (error?: Error) => void) => void;

/** The private parts of a receiver. */
interface ReceiverInside {
  /** The chunks of a frame that is not complete, and their bytes. */
  _buffers: unknown;
  readonly _bufferedBytes: unknown;
  /** The complete frames of a message that is not complete, and their bytes. */
  _fragments: unknown;
  readonly _messageLength: unknown;
  /** The option `allowSynchronousEvents`; ws reads it for each message. */
  _allowSynchronousEvents: boolean;
  _write: Write;
  createError(type: ErrorConstructor, message: string, prefix: boolean, status: number, code: string): Error;
}

/** The part of an incomplete message that has arrived. */
export interface Arrived {
  readonly bytes: number;
  /** The number of buffers that hold these bytes. */
  readonly pieces: number;
}

export function receiverOf(webSocket: object): Receiver | undefined {
  const { _receiver: receiver } = webSocket as { readonly _receiver?: unknown };
  return receiver instanceof Writable ? receiver : undefined;
}

/** Undefined when a field is not as expected. */
export function arrivedOf(receiver: Receiver): Arrived | undefined {
  const { _buffers, _bufferedBytes, _fragments, _messageLength } = insideOf(receiver);
  const [ofFrame, inFrames] = [asCount(_bufferedBytes), asCount(_messageLength)];
  if (ofFrame === undefined || inFrames === undefined) return undefined;
  if (!Array.isArray(_buffers) || !Array.isArray(_fragments)) return undefined;
  return { bytes: ofFrame + inFrames, pieces: _buffers.length + _fragments.length };
}

/** Drops the part that has arrived. The receiver cannot be used afterwards. */
export function forgetArrived(receiver: Receiver): void {
  Object.assign(receiver, { _buffers: [], _fragments: [] });
}

/** Replaces how a receiver takes a chunk. `write` parses it with {@link readOn}, or closes the websocket with a {@link refusal}. */
export function readThrough(receiver: Receiver, write: Write): void {
  insideOf(receiver)._write = write;
}

export function readOn(...[receiver, ...piece]: [Receiver, ...Parameters<Write>]): void {
  (Object.getPrototypeOf(receiver) as ReceiverInside)._write.call(receiver, ...piece);
}

/** @param status - the status code that ws closes the websocket with */
export function refusal(receiver: Receiver, message: string, status: number, code: string): Error {
  return insideOf(receiver).createError(Error, message, false, status, code);
}

function insideOf(receiver: Receiver): ReceiverInside {
  return receiver as unknown as ReceiverInside;
}

/** The receivers whose pace can be set. Each copy of ws has its own class: an app's Socket.IO server can bring another one. */
export class PacedReceivers {
  /** The result for each class. */
  readonly #passed = new WeakMap<object, boolean>();
  readonly #logger: Logger;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** The receiver of a websocket, when its class has passed the trial. The first call for a class starts the trial. */
  of(webSocket: object): Receiver | undefined {
    const receiver = receiverOf(webSocket);
    if (receiver === undefined) return undefined;
    const passed = this.#passed.get(receiver.constructor);
    if (passed === undefined) void this.passes(receiver);
    return passed ? receiver : undefined;
  }

  /** Runs the trial with the class of a receiver. */
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

/** @param isSlow - whether the receiver emits one message in each turn of the event loop, instead of all at once */
export function setPace(receiver: Receiver, isSlow: boolean): void {
  insideOf(receiver)._allowSynchronousEvents = !isSlow;
}

export interface WsInside {
  /** Whether {@link arrivedOf}, {@link readThrough} and {@link refusal} work. */
  readonly tellsArrived: boolean;
  /** Whether {@link setPace} works. */
  readonly isPaced: boolean;
  readonly paced: PacedReceivers;
}

/** Runs the trials with the copy of ws that this package uses. */
export async function tryWs(logger: Logger): Promise<WsInside> {
  const paced = new PacedReceivers(logger);
  const tellsArrived = await isAsKnown(
    {
      inside: "ws's buffers for incomplete messages",
      instead:
        'Fanfare counts the bytes of the TCP connections instead. Clients that exceed the limit are disconnected without a status code. Messages in more than 512 fragments are refused.',
      run: tryArrived,
    },
    logger,
  );
  return { tellsArrived, isPaced: await paced.passes(upgradeInMemory().receiver), paced };
}

const noPace =
  'Fanfare takes one message of each websocket in a turn of the event loop: clients that send many at once are served more slowly.';

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

/** A status code of WebSocket. */
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
      await untilTurn(`reading chunk ${count}`, () => pieces === count);
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
    // With a wrong status, ws would throw where nobody can catch it.
    if (status() === tryAgainLater) done(made);
  });
  connection.sent = '';
  connection.arrive(frame(lastFrame, 'cde'));
  await untilTurn('a refusal', () => made.code !== undefined);
  expectSame('a refusal', [made.message, made.code, status()], ['Too much', code, tryAgainLater]);
  expectSame('what is kept of what was refused', arrivedOf(receiver)?.pieces, 0);
  await untilTurn('closing', () => connection.sent.length >= 4);
  // A closing frame with the status 1013.
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
