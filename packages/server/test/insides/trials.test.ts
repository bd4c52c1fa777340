import type { EventEmitter } from 'node:events';
import { createServer } from 'node:http';
import { Server } from 'socket.io';
import { describe, expect, it } from 'vitest';
import { tryNode } from '../../src/insides/node-inside.ts';
import { asCount } from '../../src/insides/trial.ts';
import { tryInsides, type Insides } from '../../src/try-insides.ts';
import {
  hide,
  hideParser,
  InsideLog,
  isOurs,
  prototypes,
  redefine,
  replace,
  takesBodyOfOffer,
} from './broken.ts';
import { onlyOver } from '../ends/only-over.ts';

onlyOver('socket.io');

const arrived = "ws's buffers for incomplete messages";
const pace = "The pace of ws's receiver";
const writeBuffer = "engine.io's write buffer";
const answers = "engine.io's way to give packets to a poll";
const requests = "engine.io's way to take the packets of a request";
const requestBytes = "engine.io's limit for the bytes of a request";
const ending = "engine.io's way to end a polling session";
const webSockets = "engine.io's way to its websockets";
const passing = "engine.io's way from the HTTP server to its sessions";
const listeners = "engine.io's listeners for the end of a connection";
const lastAnswer = "Node's way to end a connection behind an answer";
const order = "Node's order of answers on a connection";
const parser = "Node's parser of requests";
const upgradeRule = "Node's rule for offers of an upgrade";
const halfClosing = "Node's way to answer clients that have ended their side of a connection";
const discarding = "Node's way to discard the rest of a request";

type Broken = readonly [what: string, breakIt: () => void, inside: string];

const { receiver, engine, connection, polling, webSocketTransport, httpServer, request, response, stream } =
  prototypes;

const renamed: readonly Broken[] = [
  ...['_buffers', '_bufferedBytes', '_fragments', '_messageLength', '_write', 'createError'].map(
    (name): Broken => [`a receiver's ${name}`, () => hide(receiver, name), arrived],
  ),
  ["a receiver's _allowSynchronousEvents", () => hide(receiver, '_allowSynchronousEvents'), pace],
  ["a polling transport's onData", () => hide(polling, 'onData'), requests],
  ["a polling transport's onDataRequest", () => hide(polling, 'onDataRequest'), requests],
  ["a polling transport's maxHttpBufferSize", () => hide(polling, 'maxHttpBufferSize'), requestBytes],
  ["a websocket transport's socket", () => hide(webSocketTransport, 'socket'), webSockets],
  ["an engine's handleRequest", () => hide(engine, 'handleRequest'), passing],
  ["a connection's _httpMessage", () => hide(stream, '_httpMessage'), order],
  ["a request's _dump", () => hide(request, '_dump'), discarding],
  ["a server's httpAllowHalfOpen", () => hide(httpServer, 'httpAllowHalfOpen'), halfClosing],
];

const rule: Broken = [
  "a server's shouldUpgradeCallback",
  () => hide(httpServer, 'shouldUpgradeCallback'),
  upgradeRule,
];

const changed: readonly Broken[] = [
  [
    'ws makes errors of arguments in another order',
    () =>
      replace<(...args: unknown[]) => Error>(
        receiver,
        'createError',
        (make) =>
          function (type, message, status, prefix, code) {
            return make.call(this, type, message, prefix, status, code);
          },
      ),
    arrived,
  ],
  [
    'ws counts characters that it has not got yet',
    () =>
      replace<(done: unknown) => void>(
        receiver,
        'getData',
        (getData) =>
          function (this: { _messageLength?: number; _fragments?: unknown[] }, done) {
            getData.call(this, done);
            if (this._fragments?.length === 1) this._messageLength = (this._messageLength ?? 0) + 1;
          },
      ),
    arrived,
  ],
  [
    'ws tells two messages in a turn',
    () =>
      replace<(done: unknown) => void>(
        receiver,
        'dataMessage',
        (tell) =>
          function (this: { _allowSynchronousEvents?: boolean }, done) {
            const before = this._allowSynchronousEvents;
            this._allowSynchronousEvents = true;
            tell.call(this, done);
            this._allowSynchronousEvents = before === true;
          },
      ),
    pace,
  ],
  [
    'engine.io keeps packets that were given to a transport',
    () =>
      replace<() => void>(
        connection,
        'flush',
        (flush) =>
          function (this: { writeBuffer?: unknown[]; transport?: { name: string } }) {
            const before = this.writeBuffer;
            flush.call(this);
            // Until the next one comes.
            if (this.transport?.name === 'polling' && this.writeBuffer?.length === 0)
              this.writeBuffer = before ?? [];
          },
      ),
    writeBuffer,
  ],
  ["a polling transport's shouldClose has another name", () => hide(polling, 'shouldClose'), ending],
  ["a polling transport's shouldClose has another name", () => hide(polling, 'shouldClose'), answers],
  [
    'engine.io gives a transport another list than the event flush brings',
    () =>
      replace<(packets: unknown[]) => void>(
        polling,
        'send',
        (send) =>
          function (packets) {
            send.call(this, packets.length > 2 ? packets.slice(1) : packets);
          },
      ),
    answers,
  ],
  [
    'engine.io takes a request as bytes',
    () =>
      replace<(request: unknown, response: unknown) => void>(
        polling,
        'onDataRequest',
        (read) =>
          function (this: { onData?: (data: unknown) => void }, ...args) {
            const { onData } = this;
            if (Object.hasOwn(this, 'onData'))
              this.onData = (data) => onData?.call(this, Buffer.from(String(data)));
            read.call(this, ...args);
          },
      ),
    requests,
  ],
  [
    'engine.io has one limit for all sessions',
    () => {
      let shared = 1_000;
      redefine(polling, 'maxHttpBufferSize', { get: () => shared, set: (bytes: number) => (shared = bytes) });
    },
    requestBytes,
  ],
  [
    'engine.io ends a session later',
    () =>
      replace<() => void>(
        polling,
        'onClose',
        (onClose) =>
          function () {
            setImmediate(() => onClose.call(this));
          },
      ),
    ending,
  ],
  [
    'engine.io has another listener for the end of a connection',
    () =>
      replace<() => void>(
        connection,
        'onOpen',
        (onOpen) =>
          function (this: { once?: (event: string, listener: () => void) => void }) {
            onOpen.call(this);
            this.once?.('close', () => {});
          },
      ),
    listeners,
  ],
  [
    'Node does not tell an answer that it is due',
    () =>
      replace<(event: string, ...args: unknown[]) => boolean>(
        response,
        'emit',
        (emit) =>
          function (event, ...args) {
            return event !== 'socket' && emit.call(this, event, ...args);
          },
      ),
    order,
  ],
  [
    'Node ends a connection in another way',
    () => {
      redefine(stream, 'destroySoon', { get: () => undefined, set() {} });
    },
    lastAnswer,
  ],
  [
    'Node ends a connection with its client, whatever the server says',
    () => redefine(httpServer, 'httpAllowHalfOpen', { get: () => false, set() {} }),
    halfClosing,
  ],
  ["Node's parser listens for something else than data", hideParser, parser],
  [
    'Node does not remove what stands for its parser',
    () =>
      replace<(event: string, listener: Function) => object>(
        stream,
        'removeListener',
        (remove) =>
          function (event, listener) {
            const isThere = (this as EventEmitter).rawListeners(event).includes(listener);
            return isThere || event !== 'data' ? remove.call(this, event, listener) : this;
          },
      ),
    parser,
  ],
  ['Node discards nothing', () => replace(request, '_dump', () => function () {}), discarding],
];

async function tryAll(log: InsideLog, io?: Server): Promise<Insides> {
  await tryNode(log);
  return tryInsides(log, io);
}

describe('a trial of what Node, ws and engine.io have for themselves', () => {
  it('is passed by the versions that are installed, and leaves no line in the log', async () => {
    const log = new InsideLog();
    await tryAll(log);
    await tryAll(log, new Server(createServer()));
    await tryAll(log, new Server());
    expect(log.lines).toEqual([]);
  });

  it('is passed by an engine.io that has the limit of a request in the options of a transport, as 6.6.13', async () => {
    const options = new WeakMap<object, { maxHttpBufferSize?: number }>();
    redefine(polling, 'opts', {
      get(this: object) {
        return options.get(this);
      },
    });
    redefine(polling, 'maxHttpBufferSize', {
      get(this: object) {
        return isOurs() ? undefined : options.get(this)?.maxHttpBufferSize;
      },
      set(this: object, maxHttpBufferSize: number) {
        options.set(this, { maxHttpBufferSize });
      },
    });
    const log = new InsideLog();
    expect((await tryAll(log)).engine.setRequestBytesMax).toBeDefined();
    expect(log.lines).toEqual([]);
  });

  it.each(takesBodyOfOffer ? [...renamed, rule] : renamed)(
    'tells in one line that %s has another name',
    async (_what, breakIt, inside) => {
      breakIt();
      const log = new InsideLog();
      await tryAll(log);
      log.expectOnly(inside);
    },
  );

  it.each(changed)('tells in one line that %s', async (_what, breakIt, inside) => {
    breakIt();
    const log = new InsideLog();
    await tryAll(log);
    log.expectOne(inside);
  });

  it('is one line, and no error, for an engine that serves nobody', async () => {
    const log = new InsideLog();
    const io = new Server();
    class Strange {
      attach(): void {}
      close(): void {}
      once(): void {}
      off(): void {}
    }
    Object.assign(io, { engine: new Strange() });
    const { engine: inside } = await tryAll(log, io);
    log.expectOnly('engine.io');
    expect(Object.values(inside).filter((value) => value === true || typeof value === 'function')).toEqual(
      [],
    );
  });

  it('says what differs, and what the server does instead', async () => {
    hide(receiver, '_messageLength');
    const log = new InsideLog();
    await tryAll(log);
    expect(log.lines.map(({ message }) => message)).toEqual([
      "ws's buffers for incomplete messages cannot be used: what has come is undefined instead of { bytes: 2, pieces: 1 }. Fanfare counts the bytes of the TCP connections instead. Clients that exceed the limit are disconnected without a status code. Messages in more than 512 fragments are refused.",
    ]);
  });
});

it.each([undefined, null, Number.NaN, -1, 0.5, Number.POSITIVE_INFINITY, '1', {}])(
  'a private field that is %s is not read as a number',
  (value) => {
    expect(asCount(value)).toBeUndefined();
  },
);
