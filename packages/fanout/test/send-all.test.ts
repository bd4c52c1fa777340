import fc from 'fast-check';
import type { Socket } from 'socket.io';
import type { Socket as ClientSocket } from 'socket.io-client';
import { Decoder, Encoder, type Packet } from 'socket.io-parser';
import { describe, expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { nextEvent, until as boundedUntil } from '../../../test/waits.ts';
import { fanoutAdapter, isFanoutAdapter, type FanoutOptions, type OutgoingEvent } from '../src/index.ts';
import {
  BufferEncoder,
  collect,
  countWrites,
  join,
  once,
  onlySocket,
  OtherEngine,
  serve,
  tcpOf,
  turn,
  until,
  warmUp,
  type Served,
} from './harness.ts';

const large = 'x'.repeat(100_000);

function sendAll(socket: Socket, ...events: OutgoingEvent[]): boolean {
  const { adapter } = socket.nsp;
  if (!isFanoutAdapter(adapter)) throw new Error('the adapter is another one');
  return adapter.sendAll(socket, events);
}

/** Sends events with numbers in a range. */
function sendNumbers(socket: Socket, from: number, to: number): boolean {
  return sendAll(socket, ...numbers(from, to).map((number) => ['news', number] as const));
}

function numbers(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, i) => from + i);
}

interface Slow extends Served {
  readonly client: ClientSocket;
  readonly socket: Socket;
}

async function serveOne(options: FanoutOptions = {}): Promise<Slow> {
  const served = await serve({ adapter: fanoutAdapter(options) });
  const client = await join(served.url);
  return { ...served, client, socket: onlySocket(served.io) };
}

/** Sends batches of 10 to a client that does not read, until one is refused. @returns the last number sent */
async function fill(socket: Socket, client: ClientSocket, argument: string): Promise<number> {
  tcpOf(client).pause();
  let last = 0;
  const isRefused = (): boolean => {
    const events = numbers(last + 1, last + 10).map((number) => ['news', number, argument] as const);
    return !sendAll(socket, ...events);
  };
  const step = async (): Promise<void> => {
    last += 10;
    await turn();
  };
  await boundedUntil('a batch is refused', isRefused, { step, soFar: () => last });
  return last;
}

test('isFanoutAdapter recognises adapters of other packages', async () => {
  const [stock, ours] = [await serve(), await serve({ adapter: fanoutAdapter() })];
  expect(isFanoutAdapter(stock.io.of('/').adapter)).toBe(false);
  expect(isFanoutAdapter(ours.io.of('/').adapter)).toBe(true);
  expect(isFanoutAdapter(undefined)).toBe(false);
});

describe('several events for one socket', () => {
  test.each(['websocket', 'polling', 'upgrade'] as const)(
    'several events for one socket keep their place among all other packets, over %s',
    async (way) => {
      const { io, url } = await serve({ adapter: fanoutAdapter() });
      const log: unknown[] = [];
      io.on('connection', (socket) => {
        socket.on('ask', async (answer: (number: number) => void) => {
          for (let number = 1; number < 200; number += 10) {
            io.emit('news', number);
            sendNumbers(socket, number + 1, number + 3);
            socket.emit('news', number + 4);
            sendNumbers(socket, number + 5, number + 6);
            if (number === 101) answer(number + 7);
            else io.emit('news', number + 7);
            sendNumbers(socket, number + 8, number + 9);
            await turn();
          }
          socket.emit('end');
        });
      });
      const client = await join(url, way);
      const ended = once(client, 'end');
      client.on('news', (number) => log.push(number));
      client.emit('ask', (number: number) => log.push(number));
      await ended;
      expect(log).toEqual(numbers(1, 200));
    },
  );

  test('several events for one socket keep their place before, during and after an upgrade', async () => {
    const { io, url } = await serve({ adapter: fanoutAdapter() });
    const client = await join(url, 'upgrade');
    const socket = onlySocket(io);
    const events = collect(client);
    let isUpgraded = false;
    socket.conn.once('upgrade', () => (isUpgraded = true));
    let last = 0;
    const send = (): void => {
      sendNumbers(socket, last + 1, last + 3);
      io.emit('news', last + 4);
      last += 4;
    };
    await until(() => {
      send();
      return isUpgraded;
    });
    for (let i = 0; i < 5; i++) {
      send();
      await turn();
    }
    socket.emit('end');
    expect((await events).map(([, number]) => number)).toEqual(numbers(1, last));
  });

  test('several events for one socket are one write with all others of the turn, and reach no other socket', async () => {
    const { io, client, socket, url } = await serveOne();
    const others = collect(await join(url));
    await warmUp(io);
    const events = collect(client);
    const writes = countWrites(socket);
    sendNumbers(socket, 1, 100);
    io.emit('news', 101);
    sendNumbers(socket, 102, 200);
    await turn();
    expect(writes()).toBe(1);
    io.emit('end');
    expect((await events).filter(([event]) => event === 'news').map(([, number]) => number)).toEqual(
      numbers(1, 200),
    );
    expect((await others).filter(([event]) => event === 'news')).toEqual([['news', 101]]);
  });

  test('several events for one socket are encoded by the server’s encoder, in the socket’s namespace', async () => {
    class Shouting extends Encoder {
      override encode(packet: Packet): unknown[] {
        return (super.encode(packet) as string[]).map((text) => text.replace('quiet é', 'LOUD €'));
      }
    }
    const { io, url } = await serve({ adapter: fanoutAdapter(), parser: { Encoder: Shouting, Decoder } });
    const socketOf = nextEvent<Socket>(io.of('/other'), 'connection', 'the client is in the namespace');
    const client = (await join(url)).io.socket('/other', {});
    const socket = await socketOf;
    const events = collect(client);
    sendAll(socket, ['news', 'quiet é', { more: true }], ['none'], ['end']);
    expect(await events).toEqual([['news', 'LOUD €', { more: true }], ['none']]);
  });

  test('events for a disconnected socket are not sent', async () => {
    const { socket, client, io, url } = await serveOne({ onDrained: () => expect.fail() });
    const told: unknown[] = [];
    socket.onAnyOutgoing((...event: unknown[]) => told.push(event));
    client.disconnect();
    await until(() => !socket.connected);
    expect(sendNumbers(socket, 1, 10)).toBe(true);
    const next = await join(url);
    const events = collect(next);
    sendAll(onlySocket(io), ['end']);
    expect([await events, told]).toEqual([[], []]);
  });
});

describe('events that cannot be written directly', () => {
  async function expectOrder(options: object): Promise<void> {
    const { io, url } = await serve({ adapter: fanoutAdapter(), ...options });
    const events = collect(await join(url));
    const socket = onlySocket(io);
    io.emit('news', 1);
    sendAll(socket, ['news', 2], ['news', large], ['news', 3]);
    io.emit('news', 4);
    sendAll(socket, ['news', 5], ['news', Buffer.from('six')], ['news', 7]);
    io.emit('end');
    const six = Buffer.from('six');
    expect((await events).map(([, argument]) => argument)).toEqual([1, 2, large, 3, 4, 5, six, 7]);
  }

  test('go through engine.io in the same order, with attachments', () => expectOrder({}));

  test('go through engine.io in the same order, with compression', () =>
    expectOrder({ perMessageDeflate: { threshold: 10 } }));

  test('go through engine.io in the same order, with an engine other than ws', () =>
    expectOrder({ wsEngine: OtherEngine }));

  test('go through engine.io in the same order, with a parser whose packets are not text', async () => {
    const { io, url } = await serve({
      adapter: fanoutAdapter(),
      parser: { Encoder: BufferEncoder, Decoder },
    });
    io.on('connection', (socket) => {
      sendAll(socket, ['news', 1], ['news', 2]);
      io.emit('end');
    });
    const raw = new WebSocket(`${url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`);
    onTestFinished(() => raw.terminate());
    const got: string[] = [];
    raw.on('message', (data: Buffer, isBinary: boolean) => {
      if (isBinary) got.push(data.toString());
      else raw.send('40');
    });
    await until(() => got.at(-1) === '2["end"]');
    expect(got.slice(1)).toEqual(['2["news",1]', '2["news",2]', '2["end"]']);
  });
});

describe('listeners of onAnyOutgoing', () => {
  test('listeners of onAnyOutgoing get each event that is sent, and no event that is refused', async () => {
    const { socket, client } = await serveOne({ outboxBytesMax: 500_000 });
    const told: unknown[][] = [];
    socket.onAnyOutgoing((...event: unknown[]) => told.push(event));
    const last = await fill(socket, client, large);
    expect(told).toEqual(numbers(1, last).map((number) => ['news', number, large]));
  });

  test('a listener of onAnyOutgoing may disconnect the socket: then nothing is sent', async () => {
    const { io, client } = await serveOne();
    const socketOf = nextEvent<Socket>(io.of('/other'), 'connection', 'the client is in the namespace');
    client.io.socket('/other', {});
    const socket = await socketOf;
    const got: unknown[] = [];
    client.io.engine.on('data', (data) => got.push(data));
    socket.onAnyOutgoing(() => socket.disconnect());
    expect(sendNumbers(socket, 1, 3)).toBe(true);
    const ended = once(client, 'end');
    io.emit('end');
    await ended;
    expect(got.slice(got.indexOf('1/other,'))).toEqual(['1/other,', '2["end"]']);
  });

  test('a listener of onAnyOutgoing may throw: then nothing is sent, and everything else continues', async () => {
    const { socket, client } = await serveOne();
    const events = collect(client);
    const listener = (): never => {
      throw new Error('from the app');
    };
    socket.onAnyOutgoing(listener);
    expect(() => sendNumbers(socket, 1, 3)).toThrow('from the app');
    socket.offAnyOutgoing(listener);
    expect(sendNumbers(socket, 4, 5)).toBe(true);
    socket.emit('end');
    expect((await events).map(([, number]) => number)).toEqual([4, 5]);
  });
});

describe('sendAll to a connection that does not read', () => {
  test('sendAll refuses all events if they exceed the limit, and onDrained follows', async () => {
    const drains: Socket[] = [];
    const { socket, client } = await serveOne({
      outboxBytesMax: 1_500_000,
      onOverflow: () => expect.fail(),
      onDrained: (each) => drains.push(each),
    });
    const events = collect(client);
    const last = await fill(socket, client, large);
    // A smaller event may still fit.
    expect(sendNumbers(socket, last + 1, last + 2)).toBe(true);
    await turn();
    expect(drains).toEqual([]);
    tcpOf(client).resume();
    await until(() => drains.length > 0);
    expect(sendNumbers(socket, last + 3, last + 4)).toBe(true);
    socket.emit('end');
    expect((await events).map(([, number]) => number)).toEqual(numbers(1, last + 4));
    expect(drains).toEqual([socket]);
  });

  test('onDrained comes in a turn of its own, from which more can be sent', async () => {
    let last = 0;
    let isSending = false;
    const batch = 20;
    const send = (socket: Socket): void => {
      expect(isSending).toBe(false);
      isSending = true;
      while (last < 2_000 && sendAll(socket, ...numbers(last + 1, last + batch).map(numbered))) last += batch;
      isSending = false;
      if (last === 2_000) socket.emit('end');
    };
    const numbered = (number: number): OutgoingEvent => ['news', number, 'x'.repeat(5_000)];
    const { socket, client } = await serveOne({ outboxBytesMax: 200_000, onDrained: send });
    const events = collect(client);
    send(socket);
    expect((await events).map(([, number]) => number)).toEqual(numbers(1, 2_000));
  });

  test('sendAll takes any number of events if nothing waits', async () => {
    const { socket, client } = await serveOne({ outboxBytesMax: 10, outboxTotalBytesMax: 10 });
    const events = collect(client);
    expect(sendNumbers(socket, 1, 10_000)).toBe(true);
    await once(client, 'news');
    await turn();
    expect(sendAll(socket, ['end'])).toBe(true);
    expect((await events).map(([, number]) => number)).toEqual(numbers(1, 10_000));
  });

  test('events of sendAll count against the limit for all connections, until the connection has ended', async () => {
    const { socket, client, io, url } = await serveOne({
      outboxBytesMax: 1e9,
      outboxTotalBytesMax: 5_000_000,
    });
    const first = await fill(socket, client, large);
    expect(first).toBeGreaterThan(0);
    tcpOf(client).destroy();
    await until(() => !socket.connected);
    const next = await join(url);
    expect(await fill(onlySocket(io), next, large)).toBeGreaterThan(40);
  });

  test('sendAll is limited too if a polling client does not come back', async () => {
    const { io, url } = await serve({ adapter: fanoutAdapter({ outboxBytesMax: 500_000 }) });
    const path = `${url}/socket.io/?EIO=4&transport=polling`;
    const opened = await (await fetch(path)).text();
    const { sid } = JSON.parse(opened.slice(1)) as { sid: string };
    await fetch(`${path}&sid=${sid}`, { method: 'POST', body: '40' });
    await until(() => io.sockets.sockets.size === 1);
    const socket = onlySocket(io);
    const sent = numbers(0, 3).map((i) =>
      sendAll(socket, ['news', 2 * i, large], ['news', 2 * i + 1, large]),
    );
    expect(sent).toEqual([true, true, false, false]);
    const polled = await (await fetch(`${path}&sid=${sid}`)).text();
    expect(polled.match(/(?<=42\["news",)\d/g)).toEqual(['0', '1', '2', '3']);
  });
});

const kinds = ['batch', 'batch', 'broadcast', 'direct', 'pause', 'resume', 'turn', 'turn', 'turn'] as const;

const step = fc.record({
  kind: fc.constantFrom(...kinds),
  count: fc.integer({ min: 1, max: 40 }),
  text: fc
    .tuple(fc.constantFrom('x', 'é', '€'), fc.oneof(fc.nat(200), fc.nat(20_000), fc.nat(100_000)))
    .map(([character, length]) => character.repeat(length)),
  isListened: fc.boolean(),
});

/** @returns false if something was refused whose refusal is reported at once */
function take({ io, socket, client }: Slow, each: Step, sent: readonly number[]): boolean {
  if (each.kind === 'pause' || each.kind === 'resume') tcpOf(client)[each.kind]();
  else if (each.kind === 'direct') for (const number of sent) socket.emit('news', number);
  else if (each.kind === 'broadcast') for (const number of sent) io.emit('news', number, each.text);
  else if (each.kind === 'batch') {
    if (each.isListened) socket.onAnyOutgoing(() => {});
    const isSent = sendAll(socket, ...sent.map((number): OutgoingEvent => ['news', number, each.text]));
    socket.offAnyOutgoing();
    return isSent;
  }
  return true;
}

type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

test('a client gets everything that sendAll did not refuse, in order, however it reads', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 80 }), async (steps) => {
      let isRefused = false;
      let drains = 0;
      const slow = await serveOne({
        outboxBytesMax: 500_000,
        onOverflow: () => {
          isRefused = true;
          return 'drop';
        },
        onDrained: () => drains++,
      });
      const events = collect(slow.client);
      const expected: number[] = [];
      let last = 0;
      let refusals = 0;
      for (const each of steps) {
        if (each.kind === 'turn') await turn();
        const counts = { batch: each.count, broadcast: 1, direct: 1, pause: 0, resume: 0, turn: 0 };
        const sent = numbers(last + 1, last + counts[each.kind]);
        isRefused = false;
        if (take(slow, each, sent) && !isRefused) expected.push(...sent);
        else refusals++;
        last += sent.length;
      }
      tcpOf(slow.client).resume();
      await until(() => drains > 0 || refusals === 0);
      slow.socket.emit('end');
      expect((await events).map(([, number]) => number)).toEqual(expected);
    }),
    { numRuns: 40 },
  );
});
