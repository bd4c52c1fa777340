import { once } from 'node:events';
import type { Socket } from 'node:net';
import { expect, it } from 'vitest';
import { soonMs, until, within } from '../../../../test/waits.ts';
import { connectClient, connectRaw, publish, startServer, type RunningServer } from '../harness.ts';
import { topicUrl } from '../http-tools.ts';
import { connectDeaf, connectTo, frame, text } from './deaf-clients.ts';
import { GoodClient } from './good-client.ts';
import { ProbedServer } from './probed-server.ts';
import { connectRawClient, RawPolling, RawWebSocket, separator } from './wire.ts';

const mebibyte = 2 ** 20;

/** A server that has read nothing for this long, but responds, reads no further. */
const stalledMs = 1_000;

/** Sends bytes repeatedly, until the server has read a number of bytes or stops reading. */
async function flood(server: ProbedServer, socket: Socket, what: Buffer, bytes: number): Promise<void> {
  const piece = Buffer.concat(Array.from({ length: Math.ceil(65_536 / what.length) }, () => what));
  const pump = (): void => {
    while (!socket.destroyed && socket.write(piece));
  };
  socket.on('drain', pump);
  pump();
  let movedAt = performance.now();
  for (let taken = 0; taken < bytes && performance.now() - movedAt < stalledMs && !socket.destroyed;) {
    await server.responds();
    const now = socket.bytesWritten - socket.writableLength;
    if (now !== taken) movedAt = performance.now();
    taken = now;
  }
  socket.off('drain', pump);
}

/** Packets that have or might have a response. The pings exceed the kernel's buffers. */
const floods: readonly (readonly [string, Buffer, number])[] = [
  ['pings of WebSocket', frame(0x9, 'x'.repeat(125)), 96],
  ['pongs of WebSocket', frame(0xa, 'x'.repeat(125)), 32],
  ['pongs of Engine.IO', text('3'), 4],
  ['commands with an acknowledgement', text('420["subscribe",{"topic":"news"}]'), 16],
  ['commands that are refused', text('42["publish"]'), 16],
  ['unknown events', text('42["nothing"]'), 16],
  ['logins to an unknown namespace', text('40/nothing,'), 24],
  ['events to an unknown namespace', text('42/nothing,["a"]'), 4],
  ['acknowledgements of nothing', text('437[]'), 4],
];

it.each(floods)(
  'a client that sends and never reads uses little memory, and delays no other client: %s',
  async (_what, sent, mebibytes) => {
    const server = await ProbedServer.fanfare(['--memory']);
    const good = await GoodClient.of(server.url, await connectClient(server.url));
    const socket = await connectDeaf(server.url);
    const before = await server.ask();
    await flood(server, socket, sent, mebibytes * mebibyte);
    const after = await server.ask();
    // A busy process grows by some dozens of megabytes; kept responses would be hundreds.
    expect((after?.rssBytes ?? 0) - (before?.rssBytes ?? 0)).toBeLessThan(128 * mebibyte);
    expect(await good.complaint()).toBeUndefined();
    expect([server.isGone, server.failures]).toEqual([false, []]);
  },
);

it('a client that sends pings and reads gets a pong for the last one', async () => {
  const { url } = await ProbedServer.fanfare(['--memory']);
  const client = await RawWebSocket.open(url);
  await connectRawClient(client);
  const pongs: string[] = [];
  client.socket.on('pong', (data) => void pongs.push(data.toString()));
  client.socket.ping('alone');
  await within(soonMs, 'the server answers the last ping', once(client.socket, 'pong'));
  for (let at = 0; at < 1_000; at++) client.socket.ping(String(at));
  await until('the last of 1,000 pings is answered', () => pongs.at(-1) === '999', { soFar: () => pongs });
  // The pongs come in order, and only for pings that were sent.
  const [first, ...rest] = pongs;
  expect(first).toBe('alone');
  expect(rest).toEqual(rest.toSorted((a, b) => Number(a) - Number(b)));
});

const askForPage = 'GET /topics/news/messages HTTP/1.1\r\nHost: localhost\r\n\r\n';

const rules = [{ match: '**', create: 'publish' }] as const;

/** A server with a topic whose page has the largest possible size. */
async function fillPage(url: string): Promise<void> {
  for (let at = 0; at < 5; at++) await publish(url, { topic: 'news', message: 'a'.repeat(1_000_000) });
}

/** A client that requests a number of pages at once, and reads none. */
async function askForPages(url: string, pages: number): Promise<Socket> {
  const socket = connectTo(url, askForPage.repeat(pages)).pause();
  await within(soonMs, 'the client connects', once(socket, 'connect'));
  return socket;
}

it('a client that requests a thousand pages at once and never reads uses the memory of one, and delays nobody', async () => {
  const server = await ProbedServer.fanfare(['--memory', '--rules', JSON.stringify(rules)]);
  await fillPage(server.url);
  const good = await GoodClient.of(server.url, await connectClient(server.url));
  const before = await server.ask();
  await askForPages(server.url, 1_000);
  expect(await good.complaint()).toBeUndefined();
  const after = await server.ask();
  expect((after?.rssBytes ?? 0) - (before?.rssBytes ?? 0)).toBeLessThan(64 * mebibyte);
  expect(after?.heldMaxMs).toBeLessThan(100);
  expect([server.isGone, server.failures]).toEqual([false, []]);
});

it('pipelined requests get their responses in order, and too many of them are refused', async () => {
  const { url } = await startServer({ memory: true });
  const { socket, ended } = connectRaw(url);
  const ask = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n`;
  const last = `${ask('/stats')}Connection: close\r\n\r\n`;
  socket.write(`${`${ask('/')}\r\n${ask('/topics')}\r\n`.repeat(150)}${last}`);
  const answers = (await ended).split('HTTP/1.1 ').slice(1);
  expect(answers).toHaveLength(301);
  const isRefused = (answer: string): boolean => /^429 [^]*"code":"limit_exceeded"/.test(answer);
  // The first requests need not wait, and some get responses while others arrive.
  expect(answers.findIndex(isRefused)).toBeGreaterThanOrEqual(101);
  const isPage = [/^200 OK[^]*Fanfare/, /^200 OK[^]*"topics":\[\]/] as const;
  answers.slice(0, -1).forEach((answer, at) => {
    if (!isRefused(answer)) expect(answer).toMatch(isPage[at % 2 === 0 ? 0 : 1]);
  });
});

async function startWithPage(options: object): Promise<RunningServer> {
  const started = await startServer({ memory: true, rules, ...options });
  for (let at = 0; at < 5; at++) await started.server.publish('news', 'a'.repeat(1_000_000));
  return started;
}

async function statusOf(url: string): Promise<number> {
  const response = await fetch(url, { headers: { connection: 'close' } });
  await response.text();
  return response.status;
}

it('a connection that reads nothing of a response is closed after the stall limit', async () => {
  const { url } = await startWithPage({ connectionsMax: 1, stallTimeoutMs: 1_000 });
  await askForPages(url, 20);
  expect(await statusOf(url)).toBe(429);
  await expect.poll(async () => statusOf(url)).toBe(200);
});

it('while too many bytes of responses are waiting, only large responses are refused', async () => {
  const { url } = await startWithPage({ outboxTotalBytesMax: 1_000_000 });
  const page = topicUrl(url, 'news', '/messages');
  const deaf = await askForPages(url, 20);
  await expect.poll(async () => statusOf(page)).toBe(429);
  expect(await statusOf(url)).toBe(200);
  expect((await publish(url, { topic: 'news', message: 1 })).status).toBe(200);
  deaf.destroy();
  await expect.poll(async () => statusOf(page)).toBe(200);
});

it.each([
  ['unknown events', '42["nothing"]', 400],
  ['commands with an acknowledgement', '420["subscribe",{"topic":"news"}]', 400],
  ['pongs', '3', 200],
])('a polling request with very many packets delays no other client: %s', async (_what, packet, status) => {
  const server = await ProbedServer.fanfare(['--memory']);
  const good = await GoodClient.of(server.url, await connectClient(server.url));
  const client = await RawPolling.open(server.url);
  await connectRawClient(client);
  const before = await server.ask();
  const packets = Math.floor((2 * mebibyte) / (packet.length + 1));
  const post = client.post(Array.from({ length: packets }, () => packet).join(separator));
  // While too many acknowledgements wait for a poll, the request pauses, and another one is refused.
  await (status === 200 ? post : client.poll());
  expect(await client.post('3')).toMatchObject({ status });
  await post;
  expect(await good.complaint()).toBeUndefined();
  const after = await server.ask();
  expect((after?.rssBytes ?? 0) - (before?.rssBytes ?? 0)).toBeLessThan(150 * mebibyte);
  expect(after?.heldMaxMs).toBeLessThan(1_000);
  expect([server.isGone, server.failures]).toEqual([false, []]);
});
