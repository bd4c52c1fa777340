import type { HistoryPage, TopicInfo } from '@fanfare/protocol';
import { describe, expect, it, onTestFinished } from 'vitest';
import { io } from 'socket.io-client';
import { until, within } from '../../../test/waits.ts';
import { connectClient, publish, startServer, type RunningServer, type Transport } from './harness.ts';
import { topicUrl } from './http-tools.ts';
import { connectDeaf, connectTo, frame, text } from './hostile/deaf-clients.ts';
import { connectRawClient, RawPolling, RawWebSocket, separator } from './hostile/wire.ts';

const createdByPublish = [{ match: '**', create: 'publish' }] as const;
const many = 1_000;
const numbers = Array.from({ length: many }, (_, number) => number);

const start = (): Promise<RunningServer> => startServer({ rules: createdByPublish });
const publishPacket = (number: number): string =>
  `42${number}["publish",{"topic":"numbers","message":${number}}]`;

async function published(url: string): Promise<unknown[]> {
  const response = await fetch(topicUrl(url, 'numbers', `/messages?limit=${many}`));
  if (response.status === 404) return [];
  return ((await response.json()) as HistoryPage).messages.map(({ message }) => message);
}

async function publishedSoFar(url: string): Promise<number> {
  const response = await fetch(topicUrl(url, 'numbers'));
  return response.ok ? ((await response.json()) as TopicInfo).published : 0;
}

function post(path: string, body: string, type: string): string {
  const head = `Host: localhost\r\nAccept: application/json\r\nContent-Type: ${type}\r\nContent-Length: ${body.length}`;
  return `POST ${path} HTTP/1.1\r\n${head}\r\n\r\n${body}`;
}

/** Pipelines requests over one connection, and reads a number of responses. */
async function pipeline(url: string, count: number, requests: readonly string[]): Promise<string> {
  const socket = connectTo(url, requests.join(''));
  let answers = '';
  const answered = new Promise<void>((resolve) => {
    socket.setEncoding('latin1').on('data', (piece: string) => {
      answers += piece;
      if (answers.split('HTTP/1.1 ').length > count) resolve();
    });
  });
  await within(60_000, `${count} requests are answered`, answered, () => answers.slice(-2_000));
  return answers;
}

describe('a client that sends much at once, which is processed over many event-loop turns', () => {
  it.each(['websocket', 'polling', 'upgrade'] satisfies Transport[])(
    'a burst of publishes of one client is processed completely and in order: %s',
    async (transport) => {
      const { url } = await start();
      const client = await connectClient(url, transport);
      const answers: unknown[] = [];
      const last = new Promise<void>((resolve) => {
        for (const message of numbers)
          client.emit('publish', { topic: 'numbers', message }, ({ ok }: { readonly ok: boolean }) => {
            answers.push(ok && message);
            if (answers.length === many) resolve();
          });
      });
      await last;
      expect(answers).toEqual(numbers);
      expect(await published(url)).toEqual(numbers);
    },
  );

  it('publishes that a client buffered while it was offline are all processed when it upgrades from polling to a websocket', async () => {
    const { url } = await start();
    const client = io(url, { transports: ['polling', 'websocket'], autoConnect: false, forceNew: true });
    onTestFinished(() => void client.close());
    for (const message of numbers) client.emit('publish', { topic: 'numbers', message });
    const last = client.timeout(10_000).emitWithAck('publish', { topic: 'last', message: 0 });
    client.connect();
    expect(await last).toMatchObject({ ok: true });
    expect(await published(url)).toEqual(numbers);
  });

  it('a burst of publishes is processed completely although the websocket closes at once', async () => {
    const { url } = await start();
    const socket = await connectDeaf(url);
    const packets = numbers.map((number) => text(publishPacket(number)));
    socket.resume().end(Buffer.concat([...packets, frame(0x8, '')]));
    await expect.poll(() => published(url)).toEqual(numbers);
  });

  it('a burst of publishes is processed completely although the polling client leaves at once', async () => {
    const { url } = await start();
    const client = await RawPolling.open(url);
    await client.send('40');
    await client.send(...numbers.map(publishPacket), '1');
    expect(await published(url)).toEqual(numbers);
  });

  it.each(['websocket', 'polling', 'upgrade'] satisfies Transport[])(
    'a burst of publishes is processed completely although the client disconnects at once: %s',
    async (transport) => {
      const { url } = await start();
      const client = await connectClient(url, transport);
      for (const message of numbers) client.emit('publish', { topic: 'numbers', message });
      client.disconnect();
      await expect.poll(() => published(url)).toEqual(numbers);
    },
  );

  it('a polling client cannot send another request until its previous one was processed completely', async () => {
    const { url } = await start();
    const client = await RawPolling.open(url);
    await client.send('40');
    const noop = '6';
    const answer = client.post(Array<string>(200_000).fill(noop).join(separator)).catch(() => undefined);
    await until('another post is refused', async () => (await client.post(noop)).status !== 200);
    await client.ended();
    expect([undefined, 200]).toContain((await answer)?.status);
  });

  it('a polling client is paused when too many acknowledgements wait for its poll, and gets all of them when it polls', async () => {
    const { url } = await start();
    const client = await RawPolling.open(url);
    await connectRawClient(client);
    const requests = Array.from({ length: 15_000 }, (_, number) => publishPacket(number));
    const taken = client.send(...requests);
    await expect.poll(() => publishedSoFar(url)).toBeGreaterThanOrEqual(10_000);
    const answers: number[] = [];
    await until('all answers come', () => answers.length >= requests.length, {
      step: async () => {
        const packet = await client.next();
        if (packet !== '2') answers.push(Number.parseInt(packet.slice(2), 10));
      },
      soFar: () => `${answers.length} answers`,
      ms: 60_000,
    });
    await taken;
    expect(answers).toEqual([...requests.keys()]);
  });

  it('a paused polling client gets the response to its request when it upgrades to a websocket', async () => {
    const { url } = await start();
    const client = await RawPolling.open(url);
    await connectRawClient(client);
    const taken = client.send(...Array.from({ length: 15_000 }, (_, number) => publishPacket(number)));
    await expect.poll(() => publishedSoFar(url)).toBeGreaterThanOrEqual(10_000);
    const { sid } = client.opened;
    const upgraded = new RawWebSocket(url, { sid });
    await upgraded.send('2probe');
    expect(await upgraded.next()).toBe('3probe');
    await upgraded.send('5');
    await taken;
  });

  it('a polling request gets its response although its session ends before all packets were processed', async () => {
    const { url } = await start();
    const client = await RawPolling.open(url);
    await client.send('40');
    const half = numbers.slice(0, many / 2).map(publishPacket);
    const rest = numbers.slice(many / 2).map(publishPacket);
    const { status } = await client.post([...half, 'x', ...rest].join(separator));
    expect(status).toBe(200);
    await client.ended();
    const got = await published(url);
    expect(got.length).toBeLessThanOrEqual(many / 2);
    expect(got).toEqual(numbers.slice(0, got.length));
  });

  it('pipelined publishes over one connection get their responses in order', async () => {
    const { url } = await start();
    const publishes = numbers.map((message) => JSON.stringify({ topic: 'numbers', message }));
    const answers = await pipeline(
      url,
      many,
      publishes.map((body) => post('/publish', body, 'application/json')),
    );
    const places = [...answers.matchAll(/"offset":"[^."]*\.(\d+)"/g)].map(([, place]) => Number(place));
    expect(places).toEqual(numbers.map((number) => number + 1));
    expect(await published(url)).toEqual(numbers);
  });

  it('a connection with pipelined requests continues after an upgrade offer that nobody accepts', async () => {
    const { url } = await start();
    const request = 'GET /identity HTTP/1.1\r\nHost: localhost\r\n\r\n';
    const offer = request.replace('\r\n\r\n', '\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n');
    const socket = connectTo(url, request.repeat(40) + offer).setEncoding('latin1');
    let answers = '';
    socket.on('data', (piece: string) => (answers += piece));
    const answered = (): number => answers.split('HTTP/1.1 200').length - 1;
    await expect.poll(answered).toBe(41);
    socket.write(request);
    await expect.poll(answered).toBe(42);
  });

  it('pipelined requests that were not processed yet are dropped when their client resets the connection', async () => {
    const { url } = await start();
    const request = post('/publish', '{"topic":"numbers","message":0}', 'application/json');
    const socket = connectTo(url, request);
    socket.write(request.repeat(399), () => socket.resetAndDestroy());
    await expect.poll(async () => (await published(url)).length).toBeGreaterThan(0);
    await publish(url, { topic: 'numbers', message: 'after' });
    expect((await published(url)).at(-1)).toBe('after');
  });

  it('an Engine.IO session with JSONP is refused', async () => {
    const { url } = await start();
    for (const query of ['j=0', '%6A=0']) {
      const response = await fetch(`${url}/socket.io/?EIO=4&transport=polling&${query}`);
      expect([response.status, await response.text()]).toEqual([403, expect.stringContaining('JSONP')]);
    }
  });
});
