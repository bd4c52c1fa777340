import { once } from 'node:events';
import type { Socket } from 'node:net';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { nextEvent, soonMs, within } from '../../../../test/waits.ts';
import { fixedLimits } from '../../src/limits/fixed-limits.ts';
import { takeArrivals } from '../client-end.ts';
import { connectClient, startServer } from '../harness.ts';
import { connectDeaf, connectTo, frame } from './deaf-clients.ts';
import { connectRawClient, RawPolling } from './wire.ts';

/** The bytes of the budget that the tests leave free. */
const leftBytes = 1_000_000;

/** An incomplete publish. One of them fits into the free bytes. */
const packet = `42["publish",{"topic":"news","message":"${'x'.repeat(900_000)}"}]`;
const part = Buffer.from(packet.slice(0, -2));

/** Ways to begin an incomplete publish. */
const ways: Readonly<Record<string, (url: string) => Promise<Socket>>> = {
  'a frame': async (url) => {
    const socket = await connectDeaf(url);
    const length = Buffer.alloc(8);
    length.writeBigUInt64BE(BigInt(packet.length));
    socket.write(Buffer.concat([Buffer.from([0x81, 0xff]), length, Buffer.alloc(4), part]));
    return socket;
  },
  'many frames': async (url) => {
    const socket = await connectDeaf(url);
    const [first, more] = [frame(0x1, 'x'.repeat(100)), frame(0x0, 'x'.repeat(100))];
    for (const one of [first, more]) one[0] = (one[0] ?? 0) & 0x7f;
    // Each piece also has an overhead in memory.
    socket.write(Buffer.concat([first, ...Array<Buffer>(4_000).fill(more)]));
    return socket;
  },
  'a request': async (url) => {
    const client = await RawPolling.open(url);
    await connectRawClient(client);
    const path = client.url.slice(new URL(url).origin.length);
    return connectTo(
      url,
      `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${packet.length}\r\n\r\n${part.toString()}`,
    );
  },
};

function hasRoomFor(bytes: number): boolean {
  const isThere = takeArrivals(bytes);
  if (isThere) takeArrivals(-bytes);
  return isThere;
}

describe.each(Object.entries(ways))('packets that have arrived in part: %s', (_what, begin) => {
  beforeEach(() => {
    const others = fixedLimits.packetsArrivingBytesMax.value - leftBytes;
    expect(takeArrivals(others)).toBe(true);
    onTestFinished(() => void takeArrivals(-others));
  });

  it('the memory for incomplete packets is limited over all clients, and complete packets of others are accepted', async () => {
    const { url } = await startServer({ rules: [{ match: '**', create: 'publish' }] });
    const good = await connectClient(url);
    const first = await begin(url);
    await expect.poll(() => hasRoomFor(leftBytes / 2)).toBe(false);
    const second = await begin(url);
    const isEnded = nextEvent(second, 'close', 'the server ends the connection that goes over the bound');
    second.resume();
    await isEnded;
    expect(await good.emitWithAck('publish', { topic: 'news', message: 'x'.repeat(50_000) })).toMatchObject({
      ok: true,
    });
    expect(first.destroyed).toBe(false);
    first.destroy();
    await expect.poll(() => hasRoomFor(leftBytes)).toBe(true);
  });
});

it.each(['websocket', 'polling'] as const)(
  'a packet uses no memory of the limit after it has arrived: %s',
  async (transport) => {
    const { url } = await startServer({ rules: [{ match: '**', create: 'publish' }] });
    const client = await connectClient(url, transport);
    const all = fixedLimits.packetsArrivingBytesMax.value;
    const message = 'x'.repeat(900_000);
    expect(await client.emitWithAck('publish', { topic: 'news', message })).toMatchObject({ ok: true });
    await expect.poll(() => hasRoomFor(all)).toBe(true);
  },
);

describe('the memory of abandoned or refused polling requests', () => {
  async function startRequest(length: number, before: (path: string) => string = () => ''): Promise<Socket> {
    const { url } = await startServer();
    const client = await RawPolling.open(url);
    await connectRawClient(client);
    const path = client.url.slice(new URL(url).origin.length);
    const head = `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${length}\r\n\r\n`;
    return connectTo(url, before(path) + head);
  }

  it('a polling request whose turn never came uses no memory after its client has gone', async () => {
    const poll = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`;
    const socket = await startRequest(packet.length, poll);
    socket.write(part);
    const all = fixedLimits.packetsArrivingBytesMax.value;
    await expect.poll(() => hasRoomFor(all)).toBe(false);
    socket.destroy();
    await expect.poll(() => hasRoomFor(all)).toBe(true);
  });

  it('a polling request that is too large uses no memory after its client has gone', async () => {
    const socket = await startRequest(8_000_000);
    // Twice the limit of a packet, and as much again after the refusal.
    socket.write(Buffer.alloc(4_000_000, 'x'));
    const [answer] = (await within(soonMs, 'the server answers the request', once(socket, 'data'))) as [
      Buffer,
    ];
    expect(answer.toString()).toMatch(/^HTTP\/1.1 413 /);
    socket.resume();
    // The next response proves that all bytes have arrived.
    socket.write(Buffer.alloc(4_000_000, 'x'));
    socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
    const [next] = (await within(soonMs, 'the server answers the next request', once(socket, 'data'))) as [
      Buffer,
    ];
    expect(next.toString()).toMatch(/^HTTP\/1.1 200 /);
    expect(hasRoomFor(fixedLimits.packetsArrivingBytesMax.value)).toBe(true);
  });
});
