import type { Socket as NetSocket } from 'node:net';
import fc from 'fast-check';
import type { Server, Socket } from 'socket.io';
import { PacketType } from 'socket.io-parser';
import type { Socket as ClientSocket } from 'socket.io-client';
import { describe, expect, test } from 'vitest';
import { nextEvent, until as boundedUntil } from '../../../test/waits.ts';
import { fanoutAdapter, isFanoutAdapter, waitingBytesOf, type FanoutOptions } from '../src/index.ts';
import { collect, join, once, onlySocket, serve, tcpOf, turn, until } from './harness.ts';
import { collectUncaught } from './uncaught.ts';

const large = 'x'.repeat(100_000);

interface Slow {
  readonly io: Server;
  readonly url: string;
  readonly client: ClientSocket;
  readonly socket: Socket;
  readonly tcp: NetSocket;
}

/** A server with one client, which is in the room `news`. */
async function slowClient(options: FanoutOptions): Promise<Slow> {
  const { io, url } = await serve({ adapter: fanoutAdapter(options) });
  const client = await join(url);
  const socket = onlySocket(io);
  await socket.join('news');
  return { io, url, client, socket, tcp: tcpOf(client) };
}

/** Broadcasts to the room. @returns to how many sockets it was sent */
function sendToNews(io: Server, payload: string): number {
  const { adapter } = io.of('/');
  if (!isFanoutAdapter(adapter)) throw new Error('not the adapter');
  return adapter.broadcast({ nsp: '/', ...event(payload) }, { rooms: new Set(['news']) });
}

const event = (payload: string): object => ({ type: PacketType.EVENT, data: ['news', payload] });

describe('a connection that does not read', () => {
  test.each(['websocket', 'polling'] as const)(
    'the bytes that wait over %s are reported, and to how many sockets a broadcast was sent',
    async (way) => {
      const { io, url } = await serve({
        adapter: fanoutAdapter({ outboxBytesMax: 1_000_000, onOverflow: () => 'drop' }),
      });
      const client = await join(url, way);
      const socket = onlySocket(io);
      await socket.join('news');
      expect(waitingBytesOf(socket)).toBe(0);
      if (way === 'websocket') tcpOf(client).pause();
      let sent = 0;
      await boundedUntil('a broadcast is refused', () => sendToNews(io, large) !== 1, {
        step: async () => {
          sent++;
          if (way === 'websocket') await turn();
        },
        soFar: () => `${sent} broadcasts`,
      });
      const { adapter } = io.of('/');
      const total = isFanoutAdapter(adapter) ? adapter.waitingBytes : NaN;
      expect(sent).toBeGreaterThanOrEqual(9);
      expect(waitingBytesOf(socket)).toBeGreaterThan(800_000);
      expect(total).toBe(waitingBytesOf(socket));
      const taken = once(client, 'end');
      socket.emit('end');
      if (way === 'websocket') tcpOf(client).resume();
      await taken;
      await until(() => waitingBytesOf(socket) === 0);
      expect(sendToNews(io, 'small')).toBe(1);
      client.disconnect();
      await until(() => !socket.connected);
      expect(sendToNews(io, 'small')).toBe(0);
    },
  );

  test('the bytes that wait are reported with any other adapter too', async () => {
    const { io, url } = await serve();
    await join(url, 'polling');
    const socket = onlySocket(io);
    socket.emit('news', 1);
    await until(() => waitingBytesOf(socket) === 0);
    for (let number = 0; number < 3; number++) socket.emit('news', large);
    expect(waitingBytesOf(socket)).toBeGreaterThan(200_000);
    await until(() => waitingBytesOf(socket) === 0);
  });

  test('waiting bytes are limited: the app decides about broadcasts over the limit, and onDrained follows', async () => {
    const dropped: number[] = [];
    const drains: Socket[] = [];
    let message = 0;
    const slow = await slowClient({
      outboxBytesMax: 1_000_000,
      onOverflow: (_socket, rooms) => {
        expect([...rooms]).toEqual(['news']);
        dropped.push(message);
        return 'drop';
      },
      onDrained: (socket) => drains.push(socket),
    });
    const { io, socket, tcp, client } = slow;
    const events = collect(client);
    tcp.pause();
    message = 1;
    await boundedUntil('three messages are dropped', () => dropped.length >= 3, {
      step: async () => {
        io.to('news').emit('news', message, large);
        await turn();
        message++;
      },
      soFar: () => ({ message, dropped }),
    });
    expect(drains).toEqual([]);
    tcp.resume();
    await until(() => drains.length > 0);
    io.to('news').emit('news', message, 'after');
    socket.emit('end');
    const got = (await events).map(([, number]) => number);
    const first = dropped[0] ?? 0;
    expect(got).toEqual([...Array.from({ length: first - 1 }, (_, i) => i + 1), message]);
    expect(drains).toEqual([socket]);
  });

  test('passes the event that has no room, with the very values that were broadcast, to its owner', async () => {
    const refused: (readonly unknown[])[] = [];
    const { io, tcp } = await slowClient({
      outboxBytesMax: 1_000_000,
      onOverflow: (_socket, _rooms, data) => {
        refused.push(data);
        return 'drop';
      },
    });
    const position = { offset: 7, toJSON: () => large };
    tcp.pause();
    await boundedUntil('a broadcast is refused', () => refused.length > 0, {
      step: async () => {
        io.to('news').emit('news', position);
        await turn();
      },
    });
    expect(refused[0]?.[0]).toBe('news');
    expect(refused[0]?.[1]).toBe(position);
  });

  test('a connection that exceeds the limit is ended by default, because its client would not know what it missed', async () => {
    const { io, tcp, socket } = await slowClient({ outboxBytesMax: 1_000_000 });
    tcp.pause();
    await boundedUntil('the connection is ended', () => !socket.connected, {
      step: async () => {
        io.emit('news', large);
        await turn();
      },
    });
    expect(io.sockets.sockets.size).toBe(0);
    const { adapter } = io.of('/');
    await until(() => isFanoutAdapter(adapter) && adapter.waitingBytes === 0);
  });

  test('many broadcasts of one turn are not dropped for a connection that reads', async () => {
    const { io, client } = await slowClient({ outboxBytesMax: 200_000, onOverflow: () => 'drop' });
    const events = collect(client);
    for (let i = 0; i < 10; i++) io.emit('news', i, large);
    io.emit('end');
    expect((await events).map(([, number]) => number)).toEqual(Array.from({ length: 10 }, (_, i) => i));
  });

  test('one message may always wait, however large', async () => {
    const { io, client } = await slowClient({ outboxBytesMax: 10 });
    const got = once(client, 'news');
    io.emit('news', large);
    expect(await got).toEqual([large]);
  });

  test('waiting bytes are limited for all connections together: fast readers are not affected, and shared bytes count once', async () => {
    const { io, url } = await serve({
      adapter: fanoutAdapter({ outboxTotalBytesMax: 2_200_000, onOverflow: () => 'drop' }),
    });
    const stuck = await Promise.all(Array.from({ length: 4 }, () => join(url)));
    const stuckSockets = [...io.sockets.sockets.values()];
    const healthy = await join(url);
    for (const client of stuck) tcpOf(client).pause();
    const events = collect(healthy);
    let count = 0;
    const broadcast = async (bytes: number, sockets: readonly Socket[] = []): Promise<void> => {
      const got = once(healthy, 'news');
      io.to([healthy.id ?? '', ...sockets.map(({ id }) => id)]).emit('news', count++, 'x'.repeat(bytes));
      await got;
    };
    // The kernel takes some megabytes first. Then the same message of 700,000 bytes waits for all four.
    for (let i = 0; i < 20; i++) await broadcast(700_000, stuckSockets);
    expect(stuckSockets.filter(({ connected }) => connected)).toHaveLength(4);
    // Messages of their own fit too, but then a large message to another connection does not.
    for (const socket of stuckSockets) await broadcast(300_000, [socket]);
    await broadcast(700_000);
    expect(stuckSockets.filter(({ connected }) => connected).length).toBeLessThan(4);
    io.emit('end');
    expect((await events).map(([, number]) => number)).toEqual(Array.from({ length: count }, (_, i) => i));
  });

  test('waiting bytes are limited too if a polling client does not come back', async () => {
    let overflows = 0;
    const { io, url } = await serve({
      adapter: fanoutAdapter({
        outboxBytesMax: 300_000,
        onOverflow: () => {
          overflows++;
          return 'drop';
        },
      }),
    });
    const path = `${url}/socket.io/?EIO=4&transport=polling`;
    const opened = await (await fetch(path)).text();
    const { sid } = JSON.parse(opened.slice(1)) as { sid: string };
    await fetch(`${path}&sid=${sid}`, { method: 'POST', body: '40' });
    await until(() => io.sockets.sockets.size === 1);
    for (let i = 0; i < 10; i++) io.emit('news', i, large);
    expect(overflows).toBe(8);
    // The first packets are those of the connection. The client gets everything that was accepted when it
    // comes back.
    const polled = await (await fetch(`${path}&sid=${sid}`)).text();
    expect(polled.match(/42\["news",\d/g)).toEqual(['42["news",0', '42["news",1']);
  });
});

describe('onDrained', () => {
  /** Broadcasts until something was refused for every socket in the room. Then all read again. */
  async function overflow(
    io: Server,
    clients: readonly ClientSocket[],
    refused: () => number,
  ): Promise<void> {
    for (const client of clients) tcpOf(client).pause();
    await boundedUntil('every connection has refused something', () => refused() >= clients.length, {
      step: async () => {
        io.to('news').emit('news', large);
        await turn();
      },
      soFar: refused,
    });
    for (const client of clients) tcpOf(client).resume();
  }

  test('onDrained may throw: it is called for the other sockets, and broadcasts continue', async () => {
    const [refused, told] = [new Set<Socket>(), new Set<Socket>()];
    const { io, url } = await serve({
      adapter: fanoutAdapter({
        onOverflow: (socket) => {
          refused.add(socket);
          return 'drop';
        },
        onDrained: (socket) => {
          told.add(socket);
          throw new Error('from the app');
        },
      }),
    });
    const thrown = collectUncaught();
    const clients = await Promise.all([join(url), join(url)]);
    io.socketsJoin('news');
    await overflow(io, clients, () => refused.size);
    await until(() => told.size === 2);
    await turn();
    const got = Promise.all(clients.map((client) => once(client, 'after')));
    io.emit('after');
    await got;
    expect(thrown).toEqual(['from the app', 'from the app']);
  });

  test('code that did not create the adapter can listen to the event drained', async () => {
    let refused = 0;
    const { io, client, socket } = await slowClient({
      onOverflow: () => {
        refused++;
        return 'drop';
      },
    });
    const drained: Socket[] = [];
    io.of('/').adapter.on('drained', (one: Socket) => drained.push(one));
    await overflow(io, [client], () => refused);
    await until(() => drained.length > 0);
    expect(drained).toEqual([socket]);
  });

  test('onDrained may send an event, which comes between two packets and not within one', async () => {
    let refused = 0;
    const { io, url } = await serve({
      adapter: fanoutAdapter({
        onOverflow: () => {
          refused++;
          return 'drop';
        },
        onDrained: (socket) => socket.emit('told'),
      }),
    });
    const client = await join(url);
    const socket = onlySocket(io);
    await socket.join('news');
    const told = once(client, 'told');
    await overflow(io, [client], () => refused);
    let isOver = false;
    void told.then(() => (isOver = true));
    await until(() => {
      socket.emit('attachment', Buffer.from('x'));
      return isOver;
    });
    expect(socket.connected).toBe(true);
  });
});

describe('a connection that takes nothing', () => {
  test('a connection that takes nothing is ended after the stall limit', async () => {
    const { io, tcp, socket } = await slowClient({ stallTimeoutMs: 200, onOverflow: () => 'drop' });
    tcp.pause();
    const gone = nextEvent(socket, 'disconnect', 'the stall limit ends the connection');
    for (let i = 0; i < 200 && socket.connected; i++) {
      io.emit('news', i, large);
      await turn();
    }
    await gone;
    expect(io.sockets.sockets.size).toBe(0);
  });
});

test('a client gets every broadcast that was not refused, in order, however it reads', async () => {
  const step = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant('broadcast' as const),
        bytes: fc.oneof(fc.nat(200), fc.nat(400_000)),
      }),
    },
    fc.record({ kind: fc.constant('direct' as const) }),
    fc.record({
      kind: fc.constantFrom('pause' as const, 'resume' as const, 'turn' as const, 'turn' as const),
    }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 80 }), async (steps) => {
      const expected: number[] = [];
      let isRefused = false;
      const { io, socket, client, tcp } = await slowClient({
        outboxBytesMax: 500_000,
        onOverflow: () => {
          isRefused = true;
          return 'drop';
        },
      });
      const events = collect(client);
      for (const [index, each] of steps.entries()) {
        isRefused = false;
        if (each.kind === 'broadcast') io.to('news').emit('news', index, 'x'.repeat(each.bytes));
        else if (each.kind === 'direct') socket.emit('news', index);
        else if (each.kind === 'turn') await turn();
        else tcp[each.kind]();
        if ((each.kind === 'broadcast' || each.kind === 'direct') && !isRefused) expected.push(index);
      }
      tcp.resume();
      socket.emit('end');
      expect((await events).map(([, index]) => index)).toEqual(expected);
    }),
    { numRuns: 40 },
  );
});
