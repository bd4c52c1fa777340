import type { Server, ServerOptions } from 'socket.io';
import { describe, expect, test } from 'vitest';
import * as ws from 'ws';
import { WebSocketServer, type WebSocket } from 'ws';
import { until as boundedUntil } from '../../../test/waits.ts';
import { fanoutAdapter, isFanoutAdapter, waitingBytesOf, type FanoutOptions } from '../src/index.ts';
import { collect, join, once, onlySocket, serve, tcpOf, turn, until, warnings } from './harness.ts';

/** Replacements by path, in a connection as the adapter sees it. */
type Changes = Readonly<Record<string, (real: never) => unknown>>;

/** The same object, with other values at some paths. Two reads of a path return the same value. */
function changed<T extends object>(object: T, changes: Changes, path = ''): T {
  const known = new Map<unknown, object>();
  return new Proxy(object, {
    get(target, name) {
      const value = Reflect.get(target, name) as unknown;
      const here = `${path}${String(name)}`;
      const change = changes[here];
      if (change) return change(value as never);
      if (typeof value === 'function') return (value as () => unknown).bind(target);
      const isOnTheWay = Object.keys(changes).some((each) => each.startsWith(`${here}.`));
      if (!isOnTheWay || typeof value !== 'object' || value === null) return value;
      let same = known.get(value);
      if (!same) known.set(value, (same = changed(value, changes, `${here}.`)));
      return same;
    },
  });
}

/**
 * A server whose adapter sees connections of another version of engine.io or ws. The connections are the real
 * ones.
 */
async function serveChanged(
  changes: Changes,
  options: FanoutOptions = {},
  serverOptions: Partial<ServerOptions> = {},
): ReturnType<typeof serve> {
  const served = await serve({ adapter: fanoutAdapter(options), ...serverOptions });
  served.io.use((socket, next) => {
    Object.defineProperty(socket, 'conn', { value: changed(socket.conn, changes) });
    next();
  });
  return served;
}

const missing = (): undefined => undefined;
const renamed = (packets: readonly { data: unknown }[]): object[] =>
  packets.map(({ data, ...others }) => ({ ...others, payload: data }));

const unreadable: [string, Changes][] = [
  ['a buffer under another name', { writeBuffer: missing }],
  ['packets whose data has another name', { writeBuffer: renamed, upgrading: missing }],
];

const unreadableWebSockets: [string, Changes][] = [
  ...unreadable,
  ['no websocket', { 'transport.socket': missing }],
  ['no amount of what is buffered', { 'transport.socket.bufferedAmount': missing }],
  ['a buffered amount that is not a number', { 'transport.socket.bufferedAmount': () => Number.NaN }],
  ['no extensions', { 'transport.socket.extensions': missing }],
  ['no state of its websocket', { 'transport.socket.readyState': missing }],
  ['no sender', { 'transport.socket._sender': missing }],
  ['no state of its sender', { 'transport.socket._sender._state': missing }],
  ['no TCP socket', { 'transport.socket._socket': missing }],
  ['no word of upgrades', { upgrading: missing }],
];

/** Broadcasts until one is refused. @returns the numbers that were accepted */
async function fill(io: Server, refused: () => number): Promise<number[]> {
  const accepted: number[] = [];
  let number = 0;
  await boundedUntil('a broadcast is refused', () => refused() > 0, {
    step: async () => {
      io.emit('news', number, 'x'.repeat(100_000));
      if (refused() === 0) accepted.push(number);
      number++;
      await turn();
    },
    soFar: () => accepted,
  });
  return accepted;
}

describe('a connection with unknown internals is served through engine.io within the limits, and one warning says so', () => {
  test.each(unreadableWebSockets)('with %s, over websocket', async (_name, changes) => {
    const warned = warnings();
    let refused = 0;
    const { io, url } = await serveChanged(changes, {
      outboxBytesMax: 1_000_000,
      onOverflow: () => (refused++, 'drop'),
    });
    const client = await join(url);
    const socket = onlySocket(io);
    const events = collect(client);
    tcpOf(client).pause();
    const accepted = await fill(io, () => refused);
    expect(waitingBytesOf(socket)).toBeGreaterThan(800_000);
    expect(waitingBytesOf(socket)).toBeLessThanOrEqual(1_000_000);
    const { adapter } = io.of('/');
    expect(isFanoutAdapter(adapter) && adapter.waitingBytes).toBe(waitingBytesOf(socket));
    tcpOf(client).resume();
    socket.emit('end');
    expect((await events).map(([, number]) => number)).toEqual(accepted);
    await until(() => waitingBytesOf(socket) === 0);
    const got = once(client, 'after');
    io.emit('after');
    await got;
    expect(warned.map(({ code }) => code)).toEqual(['FANOUT_UNKNOWN_ENGINE']);
  });

  test.each(unreadable)('with %s, over polling', async (_name, changes) => {
    const warned = warnings();
    let refused = 0;
    const { io, url } = await serveChanged(changes, {
      outboxBytesMax: 1_000_000,
      onOverflow: () => (refused++, 'drop'),
    });
    const path = `${url}/socket.io/?EIO=4&transport=polling`;
    const opened = await (await fetch(path)).text();
    const { sid } = JSON.parse(opened.slice(1)) as { sid: string };
    await fetch(`${path}&sid=${sid}`, { method: 'POST', body: '40' });
    await until(() => io.sockets.sockets.size === 1);
    const accepted = await fill(io, () => refused);
    expect(accepted).toHaveLength(9);
    const polled = await (await fetch(`${path}&sid=${sid}`)).text();
    expect(polled.match(/(?<=42\["news",)\d/g)?.map(Number)).toEqual(accepted);
    await until(() => waitingBytesOf(onlySocket(io)) === 0);
    expect(warned.map(({ code }) => code)).toEqual(['FANOUT_UNKNOWN_ENGINE']);
  });
});

test('a compressed connection is served through engine.io, whatever its transport calls the setting', async () => {
  const warned = warnings();
  const { io, url } = await serveChanged(
    { 'transport.perMessageDeflate': missing },
    {},
    { perMessageDeflate: true },
  );
  const client = await join(url);
  const events = collect(client);
  for (let number = 0; number < 10; number += 2) {
    io.emit('news', number, 'x'.repeat(5_000));
    onlySocket(io).emit('news', number + 1, 'x'.repeat(5_000));
  }
  io.emit('end');
  expect((await events).map(([, number]) => number)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  expect(tcpOf(client).bytesRead).toBeLessThan(5_000);
  expect(warned).toEqual([]);
});

interface SenderInside {
  _state: number;
  dispatch(...args: unknown[]): void;
  _socket: { write(bytes: Buffer): void };
}

/** ws exports it, but its types do not. */
const RealSender = (ws as unknown as { readonly Sender: new () => SenderInside }).Sender;

class SilentSender extends RealSender {
  override dispatch(...args: unknown[]): void {
    super.dispatch(...args);
    this._state = 0;
  }
}

class BypassingSender extends RealSender {
  ping(): void {
    this._socket.write(Buffer.from([0x89, 1, 0x62]));
  }
}

describe('direct writes are used after a trial of the same Sender class', () => {
  test.each([
    ['does not say when it compresses', SilentSender],
    ['sends pings by another function', BypassingSender],
  ])('and not when it %s', async (_name, SenderClass) => {
    const warned = warnings();
    class Engine extends WebSocketServer {
      override handleUpgrade(
        ...[request, socket, head, done]: Parameters<WebSocketServer['handleUpgrade']>
      ): void {
        super.handleUpgrade(request, socket, head, (webSocket: WebSocket) => {
          const { _sender: sender } = webSocket as unknown as { readonly _sender: object };
          Object.setPrototypeOf(sender, SenderClass.prototype);
          done(webSocket, request);
        });
      }
    }
    const { io, url } = await serve({ adapter: fanoutAdapter(), wsEngine: Engine });
    const events = collect(await join(url));
    for (let number = 0; number < 3; number++) io.emit('news', number);
    onlySocket(io).emit('end');
    expect(await events).toEqual([0, 1, 2].map((number) => ['news', number]));
    expect(warned.map(({ code }) => code)).toEqual(['FANOUT_UNKNOWN_ENGINE']);
  });
});
