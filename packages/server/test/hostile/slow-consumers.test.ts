import type { Socket as TcpSocket } from 'node:net';
import type { ConnectionPage, Stats } from '@fanfare/protocol';
import type { Socket } from 'socket.io-client';
import { describe, expect, it } from 'vitest';
import { until } from '../../../../test/waits.ts';
import { connectClient, publish } from '../harness.ts';
import { openStream, subscribersOf, type StreamReader } from '../http-tools.ts';
import { Ledger, tcpOf } from '../slow-reader.ts';
import { connectDeaf, openDeafStream, text } from './deaf-clients.ts';
import { ProbedServer } from './probed-server.ts';
import { connectRawClient, RawPolling } from './wire.ts';

const mebibyte = 2 ** 20;
const padding = 'x'.repeat(32_768);

interface Settings {
  readonly outboxBytesMax: number;
  readonly outboxTotalBytesMax: number;
  readonly memoryBytesMax: number;
  readonly stallTimeoutMs: number;
}

/** The topic `passing` keeps nothing, so its subscribers cannot catch up. */
const rules = JSON.stringify([{ match: 'passing', keep: 'none' }]);

function start(settings: Settings): Promise<ProbedServer> {
  const bounds = Object.entries(settings).map(([name, value]) => `--${flagOf(name)}=${value}`);
  return ProbedServer.fanfare(['--memory', '--rules', rules, ...bounds]);
}

function flagOf(setting: string): string {
  return setting.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

async function readJson<T>(url: string): Promise<T> {
  return (await fetch(url)).json() as Promise<T>;
}

const messages = '/topics/news/messages';

/** The ways to subscribe and then read nothing. */
const deafReaders: readonly ((url: string) => Promise<unknown>)[] = [
  async (url) => subscribeDeaf(url, { topic: 'news' }),
  async (url) => subscribeDeaf(url, { topic: 'news', envelope: true }),
  async (url) => subscribeDeaf(url, { topic: 'news', from: 'earliest' }),
  async (url) => subscribeDeaf(url, { topic: 'news', envelope: true, from: 'earliest' }),
  async (url) => openDeafStream(url, `${messages}?from=new`),
  async (url) => openDeafStream(url, `${messages}?from=earliest`),
  async (url) => {
    const session = await RawPolling.open(url);
    await connectRawClient(session);
    await session.send('42["subscribe",{"topic":"news"}]');
  },
];

async function subscribeDeaf(url: string, request: object): Promise<TcpSocket> {
  const socket = await connectDeaf(url);
  socket.write(text(`42["subscribe",${JSON.stringify(request)}]`));
  return socket;
}

/** Connects clients in small groups, because the kernel queues no more connections. */
async function subscribeDeafReaders(url: string, count: number): Promise<void> {
  const before = await subscribersOf(url, 'news');
  for (let at = 0; at < count; at += 50) {
    const some = Array.from({ length: Math.min(50, count - at) }, (_, place) => at + place);
    await Promise.all(some.map(async (one) => deafReaders[one % deafReaders.length]?.(url)));
  }
  await expect.poll(() => subscribersOf(url, 'news')).toBe(before + count);
}

/** Publishes numbered messages, many at once. */
class Publisher {
  readonly #url: string;
  published = 0;

  constructor(url: string) {
    this.#url = url;
  }

  /** Publishes the next numbers, the same to each topic. */
  async publish(count: number, topics: readonly string[] = ['news']): Promise<void> {
    const numbers = Array.from({ length: count }, () => this.published++);
    const batch = numbers.flatMap((number) => topics.map((topic) => ({ topic, message: [number, padding] })));
    const answer = await publish(this.#url, batch);
    expect([answer.status, answer.text.includes('"ok":false')]).toEqual([200, false]);
  }
}

/** The messages of a client that must get all of them and stay connected. */
async function subscribe(url: string, topic: string, form: 'plain' | 'envelope'): Promise<Subscriber> {
  const client = await connectClient(url);
  const ledger = new Ledger(client, topic, form);
  client.on('disconnect', (reason) => ledger.faults.push(`disconnected: ${reason}`));
  await client.emitWithAck('subscribe', { topic, envelope: form === 'envelope' });
  return { client, ledger };
}

interface Subscriber {
  readonly client: Socket;
  readonly ledger: Ledger;
}

function numbersOf(stream: StreamReader): unknown[] {
  return (stream.messages as [number, string][]).map(([number]) => number);
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, number) => number);

describe('A8: readers that never read', () => {
  it('a thousand clients that never read use bounded memory, are disconnected in time, and delay no other client', async () => {
    const readers = 1_000;
    const settings = {
      outboxBytesMax: 256 * 1_024,
      outboxTotalBytesMax: 32 * mebibyte,
      memoryBytesMax: 32 * mebibyte,
      stallTimeoutMs: 3_000,
    };
    const server = await start(settings);
    const { url } = server;
    const healthy = [await subscribe(url, 'news', 'plain'), await subscribe(url, 'news', 'envelope')];
    const stream = await openStream(`${url}${messages}?from=new`);
    const publisher = new Publisher(url);
    // These messages are for replay.
    await publisher.publish(32);
    const before = await server.ask();
    await subscribeDeafReaders(url, readers);
    let rssBytesMax = 0;
    let bytesWaitingMax = 0;
    for (let batch = 0; batch < 16; batch++) {
      await publisher.publish(16);
      bytesWaitingMax = Math.max(bytesWaitingMax, (await readJson<Stats>(`${url}/stats`)).bytesWaiting);
      rssBytesMax = Math.max(rssBytesMax, (await server.ask())?.rssBytes ?? 0);
    }
    // Sockets and streams have a total limit each. A client without waiting bytes can have one message or
    // page beyond the limit.
    const waitingMax = 2 * settings.outboxTotalBytesMax + readers * 65_536;
    expect(bytesWaitingMax).toBeGreaterThan(settings.outboxTotalBytesMax * 0.9);
    expect(bytesWaitingMax).toBeLessThan(waitingMax);
    // Besides waiting and stored messages, there is garbage.
    const growthMax = waitingMax + settings.memoryBytesMax + 64 * mebibyte;
    expect(rssBytesMax - (before?.rssBytes ?? 0)).toBeLessThan(growthMax);
    const all = upTo(publisher.published);
    await expect
      .poll(() => [...healthy.map(({ ledger }) => ledger.count), stream.messages.length])
      .toEqual([all.length, all.length, all.length]);
    expect(healthy.map(({ ledger }) => [ledger.faults, ledger.dropped])).toEqual([
      [[], 0],
      [[], 0],
    ]);
    expect(numbersOf(stream)).toEqual(all);
    const stats = async (): Promise<Stats> => readJson<Stats>(`${url}/stats`);
    await expect.poll(async () => (await stats()).connections).toBe(3);
    expect((await stats()).bytesWaiting).toBe(0);
    const after = await server.ask();
    const kept = publisher.published * padding.length;
    for (const part of ['heapBytes', 'bufferBytes'] as const)
      expect((after?.[part] ?? 0) - (before?.[part] ?? 0)).toBeLessThan(kept + 4 * mebibyte);
    expect([server.isGone, server.failures]).toEqual([false, []]);
  });

  it('clients that read again in time get everything, however many others never read', async () => {
    const server = await start({
      outboxBytesMax: 256 * 1_024,
      outboxTotalBytesMax: 4 * mebibyte,
      memoryBytesMax: 64 * mebibyte,
      stallTimeoutMs: 60_000,
    });
    const { url } = server;
    const late = [
      await subscribe(url, 'news', 'plain'),
      await subscribe(url, 'news', 'envelope'),
      await subscribe(url, 'passing', 'plain'),
      await subscribe(url, 'passing', 'envelope'),
    ];
    const [stored, passing] = [late.slice(0, 2), late.slice(2)];
    const stream = await openStream(`${url}${messages}?from=new`);
    const publisher = new Publisher(url);
    await subscribeDeafReaders(url, 105);
    for (const { client } of late) tcpOf(client).pause();
    stream.pause();
    // Publish until no client has space left: then no subscription is live.
    const isAllBehind = async (): Promise<boolean> => {
      const { connections } = await readJson<ConnectionPage>(`${url}/connections?limit=1000`);
      return connections.every(({ catchingUp }) => catchingUp > 0);
    };
    await until('every subscriber is behind', isAllBehind, {
      step: () => publisher.publish(8, ['news', 'passing']),
    });
    expect((await readJson<Stats>(`${url}/stats`)).bytesWaiting).toBeGreaterThan(4 * mebibyte);
    await publisher.publish(8, ['news', 'passing']);
    for (const { client } of late) tcpOf(client).resume();
    stream.resume();
    // For messages that are not stored, the gap comes once there is space, and then the next message.
    const isUpToDate = (): boolean => late.every(({ ledger }) => ledger.count >= publisher.published);
    await expect.poll(isUpToDate).toBe(true);
    await publisher.publish(1, ['news', 'passing']);
    const all = upTo(publisher.published);
    await stream.until(({ data }) => (data['message'] as [number] | undefined)?.[0] === all.at(-1));
    await expect.poll(() => late.map(({ ledger }) => ledger.count)).toEqual(late.map(() => all.length));
    expect(late.map(({ ledger }) => ledger.faults)).toEqual(late.map(() => []));
    expect(stored.map(({ ledger }) => ledger.dropped)).toEqual([0, 0]);
    expect(passing.map(({ ledger }) => ledger.dropped > 0)).toEqual([true, true]);
    expect(numbersOf(stream)).toEqual(all);
    expect(stream.events.filter(({ event }) => event === 'gap' || event === 'error')).toEqual([]);
    expect([server.isGone, server.failures]).toEqual([false, []]);
  });
});
