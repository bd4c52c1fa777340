import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { connect, type AddressInfo, type Socket as TcpSocket } from 'node:net';
import { fanoutAdapter } from '@fanfare/fanout';
import type { Stats } from '@fanfare/protocol';
import { attach } from '@fanfare/server';
import { Server as SocketServer } from 'socket.io';
import { describe, expect, it, onTestFinished } from 'vitest';
import { soonMs, startListening, until, within } from '../../../test/waits.ts';
import { startImpatient } from './client-end.ts';
import { publish, startServer } from './harness.ts';
import { connectRawClient, RawPolling, RawWebSocket, separator } from './hostile/wire.ts';

const rules = [
  { match: 'now', keep: 'none', create: 'publish' },
  { match: '**', create: 'publish' },
] as const;

/** An app with Fanfare on its own Socket.IO server. */
async function startApp(io: SocketServer, http = createHttpServer()): Promise<string> {
  io.attach(http);
  const fanfare = await attach(http, { io, http: 'all', rules });
  await startListening(http);
  onTestFinished(async () => {
    await fanfare.stop();
    await io.close();
  });
  return `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
}

/** The servers that deliver messages to a polling client. */
const servers: readonly (readonly [string, () => Promise<string>])[] = [
  ['the server', async () => (await startServer({ rules })).url],
  ["an app's own Socket.IO server", async () => startApp(new SocketServer())],
  [
    "an app's own Socket.IO server with the fan-out adapter",
    async () => startApp(new SocketServer({ adapter: fanoutAdapter() })),
  ],
];

async function publishNumbers(url: string, topic: string, count: number): Promise<void> {
  const messages = Array.from({ length: count }, (_, message) => ({ topic, message }));
  expect((await publish(url, messages)).status).toBe(200);
}

/** Subscribes. @returns the packets of the response with the acknowledgement */
async function subscribe(client: RawPolling, topic: string, from = 'new'): Promise<string[]> {
  await client.send(`420["subscribe",${JSON.stringify({ topic, envelope: true, from })}]`);
  const answer = await answerOf(client);
  expect(answer[0]).toMatch(/^430\[\{"ok":true/);
  return answer;
}

/** The packets of one response. */
async function answerOf(client: RawPolling): Promise<string[]> {
  const { status, text } = await client.poll();
  expect(status).toBe(200);
  return text.split(separator);
}

/** Polls until a number of messages has come. @returns the packets of each response */
async function answersWith(
  client: RawPolling,
  messages: number,
  ...answers: string[][]
): Promise<string[][]> {
  await pollUntil(client, answers, () => numbersOf(answers).length >= messages);
  return answers;
}

/** Polls until the responses meet a condition. */
async function pollUntil(client: RawPolling, answers: string[][], isEnough: () => boolean): Promise<void> {
  await until('the polls bring all that is due', isEnough, {
    step: async () => answers.push(await answerOf(client)),
    soFar: () => answers,
    ms: 60_000,
  });
}

function numbersOf(answers: readonly (readonly string[])[]): number[] {
  return answers.flat().flatMap((packet) => {
    const [, number] = /^42\["message",\{"topic":"[^"]*","message":\[?(\d+),/.exec(packet) ?? [];
    return number === undefined ? [] : [Number(number)];
  });
}

async function statsOf(url: string): Promise<Stats> {
  const response = await fetch(`${url}/stats`, { headers: { connection: 'close' } });
  return (await response.json()) as Stats;
}

const upTo = (count: number): number[] => [...Array(count).keys()];

describe.each(servers)('a client of %s that polls', (_name, start) => {
  it('a polling client gets at most 16 packets in one response, and all messages in order', async () => {
    const url = await start();
    const client = await RawPolling.open(url);
    await connectRawClient(client);
    await publishNumbers(url, 'news', 600);
    const answers = await answersWith(client, 600, await subscribe(client, 'news', 'earliest'));
    expect(numbersOf(answers)).toEqual(upTo(600));
    expect(Math.max(...answers.map(({ length }) => length))).toBeLessThanOrEqual(16);
    // Missed messages do not wait for the next ping.
    expect(answers.flat()).not.toContain('2');
    // The state, which comes after the messages, does not count either.
    const hasState = (): boolean => answers.flat().some((packet) => packet.startsWith('42["state"'));
    await pollUntil(client, answers, hasState);
    expect((await statsOf(url)).deliveries).toBe(600);
  });

  it('`deliveries` counts no states and gaps of a polling client that catches up', async () => {
    const url = await start();
    const client = await RawPolling.open(url);
    await connectRawClient(client);
    const topics = ['a', 'b', 'c', 'd', 'e'];
    for (const topic of topics) await publishNumbers(url, topic, 100);
    const answers: string[][] = [];
    const seen = answersWith(client, 500, ...answers);
    for (const [id, topic] of topics.entries()) {
      await client.send(`42${id}["subscribe",{"topic":"${topic}","envelope":true,"from":"earliest"}]`);
    }
    const all = await seen;
    const states = (): string[] => all.flat().filter((packet) => packet.startsWith('42["state"'));
    await pollUntil(client, all, () => states().length >= 5);
    expect(numbersOf(all)).toHaveLength(500);
    expect((await statsOf(url)).deliveries).toBe(500);
  });
});

describe('a client that polls', () => {
  it('a polling client gets at most 16 packets in one response of live messages and acknowledgements', async () => {
    const { url } = await startServer({ rules });
    const client = await RawPolling.open(url);
    await connectRawClient(client);
    for (const topic of ['news', 'now']) await subscribe(client, topic);
    for (let at = 0; at < 5; at++) {
      await publishNumbers(url, at % 2 === 0 ? 'news' : 'now', 30);
      await client.send(...upTo(30).map((id) => `42${id}["unsubscribe",{"topic":"x"}]`));
    }
    const answers: string[][] = [];
    const messages = (): string[] => answers.flat().filter((packet) => /^4[23]/.test(packet));
    await pollUntil(client, answers, () => messages().length >= 300);
    expect(numbersOf(answers)).toEqual(Array.from({ length: 5 }, () => upTo(30)).flat());
    for (const answer of answers) expect(answer.length).toBeLessThanOrEqual(16);
  });

  it('a polling client that is disconnected gets all waiting packets first, at most 16 in one response', async () => {
    const { url } = await startServer({ rules });
    const client = await RawPolling.open(url);
    const id = await connectRawClient(client);
    await subscribe(client, 'news');
    await publishNumbers(url, 'news', 100);
    const headers = { connection: 'close' };
    expect((await fetch(`${url}/connections/${id}`, { method: 'DELETE', headers })).status).toBe(204);
    // The server must ignore this login of a client that is being disconnected.
    await client.post('40');
    const answers: string[][] = [];
    await pollUntil(client, answers, () => answers.at(-1)?.at(-1) === '1');
    expect(numbersOf(answers)).toEqual(upTo(100));
    for (const answer of answers) expect(answer.length).toBeLessThanOrEqual(16);
    expect(answers.flat().slice(-2)).toEqual(['41', '1']);
    expect((await client.poll()).status).toBe(400);
  });

  it('a polling client that upgrades gets its waiting packets over the websocket', async () => {
    const { url } = await startServer({ rules });
    const client = await RawPolling.open(url);
    await connectRawClient(client);
    await subscribe(client, 'news');
    await publishNumbers(url, 'news', 100);
    const first = await answerOf(client);
    expect(first).toHaveLength(16);
    const webSocket = new RawWebSocket(url, { sid: client.opened.sid });
    await webSocket.send('2probe');
    expect(await webSocket.next()).toBe('3probe');
    await webSocket.send('5');
    const rest: string[] = [];
    await until('the websocket brings the rest', () => numbersOf([rest]).length >= 84, {
      step: async () => rest.push(await webSocket.next()),
      soFar: () => rest,
    });
    expect(numbersOf([first, rest])).toEqual(upTo(100));
    await expect.poll(async () => (await statsOf(url)).deliveries).toBe(100);
  });

  it('`deliveries` counts only messages that the polls of a client have taken', async () => {
    const { url } = await startServer({ rules });
    const client = await RawPolling.open(url);
    await connectRawClient(client);
    for (const topic of ['news', 'now']) await subscribe(client, topic);
    await publishNumbers(url, 'news', 20);
    await publishNumbers(url, 'now', 20);
    expect((await statsOf(url)).deliveries).toBe(0);
    const answers = [await answerOf(client)];
    expect((await statsOf(url)).deliveries).toBe(numbersOf(answers).length);
    await pollUntil(client, answers, () => numbersOf(answers).length >= 40);
    expect((await statsOf(url)).deliveries).toBe(40);
    // The client stops polling.
    await publishNumbers(url, 'news', 20);
    await publishNumbers(url, 'now', 20);
    expect(await statsOf(url)).toMatchObject({ connections: 1, deliveries: 40 });
    await client.post('1');
    await expect.poll(() => statsOf(url)).toMatchObject({ connections: 0, deliveries: 40 });
  });
});

it('the bytes that wait for a slow polling client stay within `outboxBytesMax`', async () => {
  const outboxBytesMax = 100_000;
  const { url } = await startServer({ rules, outboxBytesMax });
  const client = await RawPolling.open(url);
  await connectRawClient(client);
  const count = 1_000;
  const messages = upTo(count).map((number) => ({ topic: 'news', message: [number, 'x'.repeat(1_000)] }));
  expect((await publish(url, messages)).status).toBe(200);
  const answers = [await subscribe(client, 'news', 'earliest')];
  let bytesMax = 0;
  await until('all messages come', () => numbersOf(answers).length >= count, {
    step: async () => {
      answers.push(await answerOf(client));
      bytesMax = Math.max(bytesMax, (await statsOf(url)).bytesWaiting);
    },
    soFar: () => `${numbersOf(answers).length} messages`,
    ms: 60_000,
  });
  expect(numbersOf(answers)).toEqual(upTo(count));
  expect(bytesMax).toBeGreaterThan(0);
  expect(bytesMax).toBeLessThanOrEqual(outboxBytesMax);
});

describe('a polling session that its client abandons', () => {
  // Engine.IO pings after the interval, and waits for the pong until the timeout.
  const times = { pingInterval: 400, pingTimeout: 300 };

  const requestOf = (client: RawPolling, method: string, rest = ''): string =>
    `${method} ${client.url.slice(new URL(client.url).origin.length)} HTTP/1.1\r\nHost: x\r\n${rest}\r\n`;

  async function connectTcp(client: RawPolling, text: string): Promise<TcpSocket> {
    const socket = connect(Number(new URL(client.url).port), '127.0.0.1');
    onTestFinished(() => void socket.destroy());
    socket.on('error', () => {});
    await within(soonMs, 'the client connects', once(socket, 'connect'));
    const written = new Promise<void>((resolve) => void socket.write(text, () => resolve()));
    await within(soonMs, 'the request is written', written);
    return socket;
  }

  async function offerUpgrade(url: string, client: RawPolling): Promise<RawWebSocket> {
    const webSocket = new RawWebSocket(url, { sid: client.opened.sid });
    await webSocket.send('2probe');
    expect(await webSocket.next()).toBe('3probe');
    return webSocket;
  }

  const kinds: readonly (readonly [string, (client: RawPolling, url: string) => Promise<unknown>])[] = [
    ['does not poll any more', async () => {}],
    ['aborts its poll', async (client) => (await connectTcp(client, requestOf(client, 'GET'))).destroy()],
    [
      'reads nothing of a response, as over a dead connection',
      async (client, url) => {
        const socket = await connectTcp(client, requestOf(client, 'GET'));
        socket.pause();
        for (let at = 0; at < 4; at++) await publish(url, { topic: 'news', message: 'x'.repeat(1_000_000) });
      },
    ],
    [
      'vanishes after half a request',
      async (client) => connectTcp(client, `${requestOf(client, 'POST', 'Content-Length: 9\r\n')}4`),
    ],
    ['has offered an upgrade, and uses neither transport', async (client, url) => offerUpgrade(url, client)],
    [
      'upgrades with an unanswered ping, and sends nothing afterwards',
      async (client, url) => {
        const webSocket = await offerUpgrade(url, client);
        await until('a poll brings the ping', async () => (await answerOf(client)).includes('2'));
        await webSocket.send('5');
      },
    ],
    ['has left the namespace', async (client) => client.send('41')],
    [
      'is disconnected by an operator, and does not notice',
      async (client, url) => {
        const { connections } = (await (await fetch(`${url}/connections`)).json()) as {
          connections: { id: string }[];
        };
        await fetch(`${url}/connections/${connections[0]?.id}`, { method: 'DELETE' });
      },
    ],
  ];

  it.each(kinds)(
    'a session ends within the ping interval and timeout when its client abandons it: it %s',
    async (_name, giveUp) => {
      const { url, sessions } = await startImpatient(times);
      const client = await RawPolling.open(url);
      await connectRawClient(client);
      await subscribe(client, 'news');
      await giveUp(client, url);
      const gaveUp = performance.now();
      await publishNumbers(url, 'news', 20);
      await expect.poll(sessions, { interval: 10 }).toBe(0);
      // A busy machine may be late by a second.
      expect(performance.now() - gaveUp).toBeLessThan(times.pingInterval + times.pingTimeout + 1_000);
      expect(await statsOf(url)).toMatchObject({ connections: 0, subscriptions: 0 });
    },
  );

  it('a session stays while its client answers pings over the websocket to which it upgraded', async () => {
    const { url, sessions } = await startImpatient(times);
    const client = await RawPolling.open(url);
    await connectRawClient(client);
    const webSocket = await offerUpgrade(url, client);
    await until('a poll brings the ping', async () => (await answerOf(client)).includes('2'));
    await webSocket.send('5', '3');
    for (let at = 0; at < 4; at++) {
      expect(await webSocket.next()).toBe('2');
      await webSocket.send('3');
    }
    expect(sessions()).toBe(1);
  });
});
