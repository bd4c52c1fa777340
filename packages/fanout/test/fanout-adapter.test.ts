import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { Decoder, Encoder, type Packet } from 'socket.io-parser';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import { until } from '../../../test/waits.ts';
import { fanoutAdapter } from '../src/index.ts';
import {
  BufferEncoder,
  collect,
  countStreamWrites,
  countWrites,
  join,
  once,
  onlySocket,
  OtherEngine,
  serve,
  tcpOf,
  turn,
  warmUp,
  warnings,
} from './harness.ts';

/** The version of a package that a file of another package gets. */
function versionOf(name: string, from: string): unknown {
  const main = createRequire(from).resolve(name);
  const folder = main.slice(0, main.lastIndexOf(`node_modules/${name}/`) + `node_modules/${name}/`.length);
  return (JSON.parse(readFileSync(`${folder}package.json`, 'utf8')) as { version: string }).version;
}

describe('a broadcast', () => {
  test('a broadcast is encoded once for all receivers', async () => {
    let encodings = 0;
    class CountingEncoder extends Encoder {
      override encode(packet: Packet): unknown[] {
        encodings++;
        return super.encode(packet);
      }
    }
    const { io, url } = await serve({
      adapter: fanoutAdapter(),
      parser: { Encoder: CountingEncoder, Decoder },
    });
    const clients = await Promise.all([join(url), join(url), join(url, 'polling')]);
    const before = encodings;
    const got = Promise.all(clients.map((client) => once(client, 'news')));
    io.emit('news', 1);
    await got;
    expect(encodings - before).toBe(1);
  });

  test('all broadcasts of a turn cost a connection one write, whatever their rooms', async () => {
    const { io, url } = await serve({ adapter: fanoutAdapter() });
    const client = await join(url);
    const socket = onlySocket(io);
    await socket.join(['a', 'b']);
    await warmUp(io);
    const writes = countWrites(socket);
    const events = collect(client);
    for (let i = 0; i < 64; i++) io.to(i % 2 === 0 ? 'a' : ['a', 'b']).emit('news', i);
    await turn();
    expect(writes()).toBe(1);
    socket.emit('end');
    expect(await events).toEqual(Array.from({ length: 64 }, (_, i) => ['news', i]));
  });

  test('broadcasts of turns that follow one another cost a connection one write', async () => {
    const { io, url } = await serve({ adapter: fanoutAdapter() });
    const client = await join(url);
    await warmUp(io);
    const writes = countWrites(onlySocket(io));
    const events = collect(client);
    // On a busy machine, five turns may take more than the millisecond for which frames are held.
    const clock = vi.spyOn(performance, 'now').mockReturnValue(0);
    onTestFinished(() => clock.mockRestore());
    for (let i = 0; i < 5; i++) {
      io.emit('news', i);
      await new Promise((resolve) => setImmediate(resolve));
      expect(writes()).toBe(0);
    }
    await turn();
    expect(writes()).toBe(1);
    clock.mockRestore();
    io.emit('end');
    expect(await events).toEqual([0, 1, 2, 3, 4].map((i) => ['news', i]));
  });

  test('broadcasts bypass the stream of the socket once a trial has shown that this Node allows it', async () => {
    const warned = warnings();
    const { io, url } = await serve({ adapter: fanoutAdapter() });
    const events = collect(await join(url));
    const writes = countStreamWrites(onlySocket(io));
    const sent: unknown[][] = [];
    await until('an event is written beside the stream', async () => {
      const before = writes();
      io.emit('news', sent.push(['news', sent.length + 1]));
      await turn();
      return writes() === before;
    });
    io.emit('end');
    expect(await events).toEqual(sent);
    expect(warned).toEqual([]);
  });

  test('many acknowledgements to one client are one write, without any broadcast', async () => {
    const { io, url } = await serve({ adapter: fanoutAdapter() });
    const [client, subscriber] = [await join(url), await join(url)];
    const [socket, other] = [...io.sockets.sockets.values()];
    if (!socket || !other) throw new Error('a socket is missing');
    await other.join('news');
    const warmedUp = once(subscriber, 'warm-up');
    io.to('news').emit('warm-up');
    await warmedUp;
    socket.on('ask', (answer: () => void) => answer());
    await Promise.all(Array.from({ length: 3 }, () => client.emitWithAck('ask')));
    const writes = countWrites(socket);
    await Promise.all(Array.from({ length: 64 }, () => client.emitWithAck('ask')));
    expect(writes()).toBeLessThan(5);
  });

  test('a broadcast keeps its place among acknowledgements, direct events and the disconnect', async () => {
    const { io, url } = await serve({ adapter: fanoutAdapter() });
    const client = await join(url);
    const socket = onlySocket(io);
    const log: unknown[] = [];
    client.onAny((...event: unknown[]) => log.push(event));
    const gone = once(client, 'disconnect');
    socket.on('ask', (answer: (text: string) => void) => {
      io.emit('news', 1);
      answer('answered');
      io.emit('news', 2);
      socket.emit('direct', 3);
      io.emit('news', 4);
      socket.disconnect(true);
      io.emit('news', 5);
    });
    client.emit('ask', (text: string) => log.push(text));
    await gone;
    expect(log).toEqual([['news', 1], 'answered', ['news', 2], ['direct', 3], ['news', 4]]);
  });

  test('a broadcast does not reach a socket that one of its listeners disconnects', async () => {
    const { io, url } = await serve({ adapter: fanoutAdapter() });
    await Promise.all([join(url), join(url)]);
    const [first, second] = [...io.sockets.sockets.values()];
    const told: string[] = [];
    first?.onAnyOutgoing((event: string) => void (event === 'news' && second?.disconnect()));
    second?.onAnyOutgoing((event: string) => told.push(event));
    io.emit('warm-up');
    io.emit('news');
    expect(told).toEqual(['warm-up']);
  });

  test('a volatile broadcast keeps its place, and is dropped if the kernel takes no more', async () => {
    const { io, url } = await serve({ adapter: fanoutAdapter({ onOverflow: () => 'drop' }) });
    const client = await join(url);
    const events = collect(client);
    await warmUp(io);
    io.emit('news', 1);
    await turn();
    io.volatile.emit('volatile', 2);
    io.emit('news', 3);
    await turn();
    tcpOf(client).pause();
    for (let i = 0; i < 100; i++) {
      io.emit('padding', 'x'.repeat(100_000));
      await turn();
    }
    io.volatile.emit('volatile', 4);
    tcpOf(client).resume();
    onlySocket(io).emit('end');
    const got = (await events).filter(([event]) => event !== 'padding');
    expect(got).toEqual([['warm-up'], ['news', 1], ['volatile', 2], ['news', 3]]);
  });

  test('a broadcast to a room that is undefined by mistake reaches nobody', async () => {
    const { io, url } = await serve({ adapter: fanoutAdapter() });
    const events = collect(await join(url));
    io.emit('news', 1);
    io.to(undefined as unknown as string).emit('secret');
    io.emit('news', 2);
    io.to('').emit('secret');
    io.emit('end');
    expect(await events).toEqual([
      ['news', 1],
      ['news', 2],
    ]);
  });
});

describe('broadcasts that cannot be written directly', () => {
  /** Sends three broadcasts with a direct event between them, in one turn. */
  async function expectOrder(
    options: object,
    unwrap: (value: unknown) => unknown = (value) => value,
  ): Promise<void> {
    const { io, url } = await serve({ adapter: fanoutAdapter(), ...options });
    const client = await join(url);
    const events = collect(client);
    io.emit('news', 1);
    onlySocket(io).emit('direct', 2);
    io.emit('news', Buffer.from('three'));
    io.emit('news', 'x'.repeat(5_000));
    io.emit('end');
    expect((await events).map((event) => event.map(unwrap))).toEqual([
      ['news', 1],
      ['direct', 2],
      ['news', Buffer.from('three')],
      ['news', 'x'.repeat(5_000)],
    ]);
  }

  test('go through engine.io with compression', async () => {
    const warned = warnings();
    await expectOrder({ perMessageDeflate: { threshold: 10 } });
    expect(warned).toEqual([]);
  });

  test('go through engine.io with a parser whose packets are not text', async () => {
    const { io, url } = await serve({
      adapter: fanoutAdapter(),
      parser: { Encoder: BufferEncoder, Decoder },
    });
    const raw = new WebSocket(`${url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`);
    onTestFinished(() => raw.terminate());
    const got: string[] = [];
    raw.on('message', (data: Buffer, isBinary: boolean) => {
      if (isBinary) got.push(data.toString());
      else raw.send('40');
      if (got.length === 1) io.emit('news', 1);
    });
    await until('the client gets its event', () => got.length >= 2, { soFar: () => got });
    expect(got[1]).toBe('2["news",1]');
  });

  test('go through engine.io with an engine other than ws, and one warning says so', async () => {
    const warned = warnings();
    await expectOrder({ wsEngine: OtherEngine });
    await turn();
    expect(warned).toMatchObject([{ code: 'FANOUT_UNKNOWN_ENGINE' }]);
  });

  test('an app that asks for connection state recovery gets a warning that it does not work', async () => {
    const warned = warnings();
    await expectOrder({ connectionStateRecovery: {} });
    expect(warned).toMatchObject([{ code: 'FANOUT_NO_RECOVERY' }]);
  });
});

test('direct writes were checked with the installed versions of engine.io and ws', () => {
  const socketIo = createRequire(import.meta.url).resolve('socket.io');
  const engine = createRequire(socketIo).resolve('engine.io');
  // After a change of these versions: check what src/internals.ts says about them, then set them here.
  expect(versionOf('engine.io', socketIo)).toBe('6.6.12');
  expect(versionOf('ws', engine)).toBe('8.21.3');
  expect(versionOf('socket.io-adapter', socketIo)).toBe('2.5.8');
});
