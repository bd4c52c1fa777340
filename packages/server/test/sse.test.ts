import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  createServer as createHttpServer,
  get,
  request as httpRequest,
  type IncomingMessage,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TopicInfo } from '@fanfare/protocol';
import { attach } from '@fanfare/server';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { nextEvent, soonMs, startListening, until, within } from '../../../test/waits.ts';
import { freePort } from '../../../bench/src/free-port.ts';
import { launchBrowser } from './browser.ts';
import { EventStreams } from '../src/http/event-streams.ts';
import { bearer, secret } from './access/tokens.ts';
import { connectClient, connectRaw, publish, startServer } from './harness.ts';
import {
  declare,
  openStream,
  readPage,
  StreamReader,
  subscribersOf,
  temporaryDirectory,
  topicUrl,
} from './http-tools.ts';

const isState =
  (wanted: 'live' | 'catching_up') =>
  ({ event, data }: { event: string; data: { readonly [field: string]: unknown } }): boolean =>
    event === 'state' && data['state'] === wanted;

const isLast = ({ data }: { data: { readonly [field: string]: unknown } }): boolean =>
  data['message'] === 'last';

function streamUrl(url: string, topic: string, query = ''): string {
  return topicUrl(url, topic, `/messages${query}`);
}

/** Publishes more large messages than the kernel buffers for a client that reads nothing. */
async function flood(url: string, topic: string, count: number): Promise<void> {
  const text = 'x'.repeat(40_000);
  for (let at = 0; at < count; at += 100) {
    const messages = Array.from({ length: Math.min(100, count - at) }, (_, more) => ({
      topic,
      message: { number: at + more, text },
    }));
    expect((await publish(url, messages)).status).toBe(200);
  }
}

describe('a stream of Server-Sent Events', () => {
  it('a stream of Server-Sent Events begins with its start position, then has the stored messages, and continues live', async () => {
    const { url } = await startServer();
    await declare(url, 'news');
    await publish(url, '{"topic":"news","message":{"a":1.0,"b":"\\u2028\\n"},"id":"x"}');
    const reader = new StreamReader(streamUrl(url, 'news'));
    const { statusCode, headers } = await reader.opened();
    expect(statusCode).toBe(200);
    expect(headers).toMatchObject({
      'content-type': 'text/event-stream',
      'cache-control': 'no-cache',
      'x-accel-buffering': 'no',
      vary: 'Origin, Accept',
    });
    await reader.until(isState('live'));
    const live = await publish(url, { topic: 'news', message: 'last' }, { accept: 'application/json' });
    await reader.until(isLast);
    const { offset } = JSON.parse(live.text) as { offset: string };
    const { messages, next } = await readPage(url, 'news');
    expect(next).toBe(offset);
    const [kept, last] = messages;
    const start = reader.events[0]?.id;
    expect(reader.events).toEqual([
      {
        event: 'subscribed',
        id: start,
        data: { ok: true, topic: 'news', state: 'catching_up', offset: start, replayed: 1 },
      },
      { event: 'message', id: kept?.offset, data: { ...kept, replay: 'news' } },
      { event: 'state', id: kept?.offset, data: { topic: 'news', state: 'live', offset: kept?.offset } },
      { event: 'message', id: offset, data: last },
    ]);
  });

  it('a stream of Server-Sent Events starts at the requested position, and Last-Event-ID has precedence over it', async () => {
    const { url } = await startServer();
    await declare(url, 'news');
    for (const message of [1, 2, 3]) await publish(url, { topic: 'news', message });
    const { messages, next } = await readPage(url, 'news');
    const [first, second] = messages.map(({ offset }) => offset);
    const expected: [query: string, headers: Record<string, string>, unknown[], boolean | undefined][] = [
      ['', {}, [1, 2, 3, 'last'], undefined],
      ['?from=new', {}, ['last'], undefined],
      ['?from=last', {}, [3, 'last'], undefined],
      ['?last=2', {}, [2, 3, 'last'], undefined],
      ['?time=0&limit=1', {}, [1, 2, 3, 'last'], undefined],
      [`?from=${first}`, {}, [2, 3, 'last'], true],
      ['?from=new', { 'last-event-id': `${second}` }, [3, 'last'], true],
      [`?lastEventId=${first}`, { 'last-event-id': next }, ['last'], true],
      [`?from=earliest&lastEventId=${second}`, {}, [3, 'last'], true],
      ['?from=new&lastEventId=', { 'last-event-id': '' }, ['last'], undefined],
      ['', { 'last-event-id': 'another.2' }, [1, 2, 3, 'last'], false],
    ];
    const readers = [];
    for (const [query, headers] of expected)
      readers.push(await openStream(streamUrl(url, 'news', query), headers));
    await publish(url, { topic: 'news', message: 'last' });
    for (const reader of readers) await reader.until(isLast);
    expect(readers.map(({ messages: got, events }) => [got, events[0]?.data['recovered']])).toEqual(
      expected.map(([, , ...wanted]) => wanted),
    );
    const header = { 'last-event-id': 'nonsense' };
    for (const [query, headers, field] of [
      ['', header, 'Last-Event-ID'],
      ['?lastEventId=new', {}, 'lastEventId'],
    ] as const) {
      const response = await fetch(streamUrl(url, 'news', query), {
        headers: { accept: 'text/event-stream', ...headers },
      });
      expect(await response.json()).toMatchObject({ status: 400, errors: [{ field }] });
    }
  });

  it('a stream is sent only to requests that accept one; others get pages, and HEAD gets the headers', async () => {
    const { url } = await startServer();
    await declare(url, 'news');
    for (const accept of [
      '*/*',
      'application/json',
      'text/html',
      'application/json, text/event-stream;q=0.9',
    ]) {
      const response = await fetch(streamUrl(url, 'news'), { headers: { accept } });
      expect(await response.json()).toMatchObject({ messages: [] });
    }
    await openStream(streamUrl(url, 'news'), { accept: 'text/event-stream, */*;q=0.1' });
    const head = await fetch(streamUrl(url, 'news'), {
      method: 'HEAD',
      headers: { accept: 'text/event-stream' },
    });
    expect(head.headers.get('content-type')).toBe('text/event-stream');
    expect(await subscribersOf(url, 'news')).toBe(1);
  });

  it('a stream can be of a pattern, including topics that do not exist yet', async () => {
    const { url } = await startServer();
    const reader = await openStream(streamUrl(url, 'a/*'));
    for (const topic of ['a/x', 'b', 'a/y']) {
      await declare(url, topic);
      await publish(url, { topic, message: topic });
    }
    await publish(url, { topic: 'a/x', message: 'last' });
    await reader.until(isLast);
    expect(reader.messages).toEqual(['a/x', 'a/y', 'last']);
  });

  it('a stream reports the messages that it missed of a topic that keeps nothing, and has no offsets for it', async () => {
    const { url } = await startServer({ rules: [{ match: 'now', keep: 'none' }], outboxBytesMax: 50_000 });
    await declare(url, 'now');
    const reader = await openStream(streamUrl(url, 'now'));
    reader.pause();
    await flood(url, 'now', 800);
    await publish(url, { topic: 'now', message: 'the end' });
    reader.resume();
    await reader.until(({ event }) => event === 'gap');
    await publish(url, { topic: 'now', message: 'last' });
    await reader.until(isLast);
    let next = 0;
    let missed = 0;
    for (const { event, id, data } of reader.events.slice(1)) {
      if (event === 'message') expect(id).toBeUndefined();
      if (event === 'gap') {
        expect(data).toEqual({ topic: 'now', dropped: expect.any(Number) as number, envelope: true });
        next += data['dropped'] as number;
        missed += data['dropped'] as number;
      } else {
        const { number } = data['message'] as { number?: number };
        if (number !== undefined) expect(number).toBe(next);
        next++;
      }
    }
    expect(next).toBe(802);
    expect(missed).toBeGreaterThan(0);
  });

  it('a slow reader of a stream gets every message at its own pace', async () => {
    const { url } = await startServer({ outboxBytesMax: 20_000 });
    await declare(url, 'news');
    const slow = await openStream(streamUrl(url, 'news'));
    const quick = await openStream(streamUrl(url, 'news', '?from=new'));
    slow.pause();
    await flood(url, 'news', 800);
    await publish(url, { topic: 'news', message: 'last' });
    await quick.until(isLast);
    slow.resume();
    await slow.until(isLast);
    await slow.until(isState('catching_up'));
    for (const { messages } of [slow, quick]) {
      expect(messages.map((message) => (message as { number?: number }).number)).toEqual([
        ...Array.from({ length: 800 }, (_, at) => at),
        undefined,
      ]);
    }
  });

  it('a stream is cut when its client reads nothing for the stall limit, and only then', async () => {
    const { url } = await startServer({ stallTimeoutMs: 1_000, outboxBytesMax: 20_000 });
    for (const topic of ['news', 'idle']) await declare(url, topic);
    const stalled = await openStream(streamUrl(url, 'news'));
    const idle = await openStream(streamUrl(url, 'idle'));
    stalled.pause();
    await flood(url, 'news', 800);
    await expect.poll(() => subscribersOf(url, 'news')).toBe(0);
    await publish(url, { topic: 'idle', message: 'last' });
    await idle.until(isLast);
  });

  it('a stream leaves no subscription when its client leaves, at whatever moment', async () => {
    const { url } = await startServer();
    await declare(url, 'news');
    await flood(url, 'news', 100);
    for (let at = 0; at < 30; at++) {
      const { socket } = connectRaw(url);
      socket.write('GET /topics/news/messages HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n');
      if (at % 3 === 0) socket.end();
      else await nextEvent(socket, at % 3 === 1 ? 'data' : 'ready', 'the connection gets that far');
      socket.resetAndDestroy();
    }
    await expect.poll(() => subscribersOf(url, 'news')).toBe(0);
    await publish(url, { topic: 'news', message: 1 });
  });

  it('a stream leaves no subscription when its client leaves while its token is verified', async () => {
    const { url } = await startServer({ key: secret });
    const headers = await bearer({ sub: 'root', admin: true });
    expect((await fetch(topicUrl(url, 'news'), { method: 'PUT', headers })).status).toBe(201);
    for (let at = 0; at < 20; at++) {
      // The server has none of these tokens in its cache.
      const { authorization } = await bearer({ sub: `${at}`, subscribe: ['news'] });
      const { socket, ended } = connectRaw(url);
      const request = `GET /topics/news/messages HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\nAuthorization: ${authorization}\r\n\r\n`;
      socket.write(request, () => socket.resetAndDestroy());
      await ended;
    }
    const subscribers = async (): Promise<number> => {
      const response = await fetch(topicUrl(url, 'news'), { headers });
      return ((await response.json()) as TopicInfo).subscribers;
    };
    await expect.poll(subscribers).toBe(0);
  });

  it('a connection has at most one stream, however many it requests at once', async () => {
    const { url } = await startServer();
    await declare(url, 'news');
    const { socket, ended } = connectRaw(url);
    const request = 'GET /topics/news/messages HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n';
    socket.write(request.repeat(10));
    await within(soonMs, 'the stream begins', once(socket, 'data'));
    expect(await subscribersOf(url, 'news')).toBe(1);
    socket.destroy();
    await ended;
    await expect.poll(() => subscribersOf(url, 'news')).toBe(0);
  });

  it('a stream does not delay the stop of the server, whether its client reads or not', async () => {
    const { url, server } = await startServer({ outboxBytesMax: 20_000 });
    await declare(url, 'news');
    const quick = await openStream(streamUrl(url, 'news'));
    const stalled = await openStream(streamUrl(url, 'news'));
    stalled.pause();
    await flood(url, 'news', 800);
    await publish(url, { topic: 'news', message: 'last' });
    await quick.until(isLast);
    const began = performance.now();
    await server.stop();
    expect(performance.now() - began).toBeLessThan(2_500);
    await quick.ended();
  });

  it('a stream counts as a subscriber, like a subscription over Socket.IO', async () => {
    const { url } = await startServer();
    const client = await connectClient(url);
    const { offset } = (await client.emitWithAck('subscribe', { topic: 'news', envelope: true })) as {
      offset: string;
    };
    const got = nextEvent(client, 'message', 'the subscriber over Socket.IO gets the message');
    const reader = await openStream(streamUrl(url, 'news', `?from=${offset}`));
    expect(await subscribersOf(url, 'news')).toBe(2);
    await publish(url, { topic: 'news', message: 'last' });
    expect((await reader.until(isLast)).data).toEqual(await got);
  });
});

describe('a client that resumes a stream', () => {
  it('a client that resumes a stream again and again gets each message once and in order while more are published', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 5, maxLength: 15 }),
        async (stops) => {
          const { url, server } = await startServer();
          await declare(url, 'a/news');
          const publisher = { isOver: false };
          let published = 0;
          const publishing = (async () => {
            await until('the readers have read', () => publisher.isOver, {
              step: async () => {
                const messages = Array.from({ length: 7 }, () => ({ topic: 'a/news', message: published++ }));
                await publish(url, messages);
              },
              ms: 90_000,
            });
          })();
          const got: unknown[] = [];
          let lastId = '';
          const read = async (count: number): Promise<void> => {
            const reader = await openStream(streamUrl(url, got.length % 2 === 0 ? 'a/news' : 'a/*'), {
              'last-event-id': lastId,
            });
            if (lastId !== '') expect(reader.events[0]?.data['recovered']).toBe(true);
            await reader.until(() => reader.events.length >= count);
            reader.close();
            const taken = reader.events.slice(0, count);
            for (const { event, data } of taken) if (event === 'message') got.push(data['message']);
            lastId = taken.findLast(({ id }) => id !== undefined)?.id ?? lastId;
          };
          for (const count of stops) await read(count);
          publisher.isOver = true;
          await publishing;
          await publish(url, { topic: 'a/news', message: 'last' });
          const rest = await openStream(streamUrl(url, 'a/news'), { 'last-event-id': lastId });
          await rest.until(isLast);
          expect([...got, ...rest.messages]).toEqual([
            ...Array.from({ length: published }, (_, at) => at),
            'last',
          ]);
          await server.stop();
        },
      ),
      { numRuns: 6 },
    );
  });
});

describe('standard clients of Server-Sent Events', () => {
  it('curl prints the events of a stream as they come', async () => {
    const { url } = await startServer();
    await declare(url, 'news');
    const curl = spawn('curl', ['-sN', '-H', 'Accept: text/event-stream', streamUrl(url, 'news')]);
    onTestFinished(() => void curl.kill());
    let text = '';
    curl.stdout.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    const prints = async (wanted: RegExp): Promise<void> =>
      until('curl prints the event', () => wanted.test(text), { soFar: () => text });
    await prints(/^retry: 1000\nevent: subscribed\nid: \S+\ndata: \{.*\}\n\n/);
    await publish(url, { topic: 'news', message: 'hello' });
    await prints(/\n\nid: \S+\ndata: \{"topic":"news","message":"hello",.*\}\n\n$/);
  });

  it("a browser's EventSource reconnects and resumes by itself when the server comes back", async () => {
    const data = await temporaryDirectory();
    const port = await freePort();
    const first = await startServer({ data, port });
    await declare(first.url, 'news');
    await publish(first.url, { topic: 'news', message: 1 });
    const browser = await launchBrowser();
    onTestFinished(() => browser.close());
    const page = await browser.newPage();
    await page.goto(first.url);
    await page.evaluate(`
      globalThis.got = [];
      const source = new EventSource('/topics/news/messages');
      source.onmessage = ({ data }) => got.push(JSON.parse(data).message);
      source.addEventListener('subscribed', ({ data }) => got.push(JSON.parse(data).recovered ?? 'start'));
    `);
    const got = (): Promise<unknown> => page.evaluate('got');
    await expect.poll(got).toEqual(['start', 1]);
    await publish(first.url, { topic: 'news', message: 2 });
    await expect.poll(got).toEqual(['start', 1, 2]);
    await first.server.stop();
    const { url } = await startServer({ data, port });
    await publish(url, { topic: 'news', message: 3 });
    await expect.poll(got).toEqual(['start', 1, 2, true, 3]);
    await publish(url, { topic: 'news', message: 4 });
    await expect.poll(got).toEqual(['start', 1, 2, true, 3, 4]);
  });
});

describe('an idle stream', () => {
  it('an idle stream gets comments, so that proxies keep its connection open', async () => {
    const streams = new EventStreams({
      limits: {
        outboxBytesMax: 1,
        outboxTotalBytesMax: 1,
        connectionsPerAddressMax: 0,
        stallTimeoutMs: 60_000,
      },
      heartbeatMs: 5,
      newId: () => 'stream',
    });
    const httpServer = createHttpServer((_request, response) => {
      const peer = streams.open(
        response,
        () => ({ subscribe: async () => ({ ok: true, offset: 'e.1' }), close: () => {} }) as never,
        undefined,
      );
      void peer.subscribe({});
    });
    await startListening(httpServer);
    onTestFinished(() => void httpServer.close());
    const response = await within(
      soonMs,
      'the stream begins',
      new Promise<IncomingMessage>((resolve) => {
        get(`http://127.0.0.1:${(httpServer.address() as AddressInfo).port}`, resolve);
      }),
    );
    let text = '';
    response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    await until('three comments come', () => text.endsWith(':\n\n:\n\n:\n\n'), { soFar: () => text });
    const closed = nextEvent(response, 'close', 'the stream is closed');
    streams.end(1_000);
    await closed;
    expect(response.destroyed).toBe(true);
  });
});

describe('Fanfare attached to an app', () => {
  async function listen(options: {
    http?: 'publish' | 'topics' | 'all';
    open?: boolean;
  }): Promise<{ url: string; stop: () => Promise<void> }> {
    const httpServer = createHttpServer((_request, response) => response.end('the app'));
    const fanfare = await attach(httpServer, options);
    await startListening(httpServer);
    onTestFinished(() => void httpServer.close());
    return {
      url: `http://localhost:${(httpServer.address() as AddressInfo).port}`,
      stop: () => fanfare.stop(),
    };
  }

  it('an attached Fanfare leaves the paths under /topics to the app by default', async () => {
    const { url } = await listen({});
    for (const path of [
      '/topics',
      '/topics/x',
      '/topics/x/messages',
      '/messages?topic=x',
      '/topic?topic=x',
    ]) {
      expect(await (await fetch(`${url}${path}`)).text()).toBe('the app');
    }
  });

  it("an attached Fanfare serves /topics with `http: 'topics'`, and returns these paths to the app on stop", async () => {
    const { url, stop } = await listen({ http: 'topics' });
    await declare(url, 'news');
    const reader = await openStream(streamUrl(url, 'news'));
    expect((await publish(url, [{ topic: 'news', message: 'last' }])).status).toBe(200);
    await reader.until(isLast);
    expect((await fetch(`${url}/topics?limit=1`)).status).toBe(200);
    expect((await fetch(`${url}/topics`, { method: 'POST' })).status).toBe(405);
    expect((await fetch(`${url}/topic?topic=news`)).status).toBe(200);
    expect((await fetch(`${url}/messages?limit=1&topic=news`)).status).toBe(200);
    for (const path of ['/', '/topicsx', '/topic', '/publish', '/messages', '/messages?subtopic=news']) {
      expect(await (await fetch(`${url}${path}`)).text()).toBe('the app');
    }
    await stop();
    await reader.ended();
    expect(await (await fetch(`${url}/topics`)).text()).toBe('the app');
  });

  it('an attached Fanfare without a key refuses clients from other machines', async () => {
    const httpServer = createHttpServer();
    httpServer.prependListener('connection', (socket) => {
      Object.defineProperty(socket, 'localAddress', { value: '192.0.2.1' });
    });
    await attach(httpServer, { http: 'topics' });
    await startListening(httpServer);
    onTestFinished(() => void httpServer.close());
    const { port } = httpServer.address() as AddressInfo;
    const statusOf = (method: string, path: string): Promise<number | undefined> => {
      const answer = new Promise<number | undefined>((resolve, reject) => {
        const headers = { accept: 'text/event-stream' };
        httpRequest({ host: '127.0.0.1', port, method, path, headers, agent: false }, (response) => {
          resolve(response.resume().statusCode);
        })
          .once('error', reject)
          .end();
      });
      return within(soonMs, `the app answers ${method} ${path}`, answer);
    };
    for (const [method, path] of [
      ['GET', '/topics'],
      ['GET', '/topics/x'],
      ['PUT', '/topics/x'],
      ['DELETE', '/topics/x'],
      ['GET', '/topics/x/messages'],
      ['GET', '/topics/**/messages'],
      ['GET', '/topics/nothing/here'],
      ['DELETE', '/topic?topic=x'],
      ['GET', '/messages?topic=x'],
      ['GET', '/subscribers?topic=x'],
    ] as const) {
      expect(await statusOf(method, path)).toBe(403);
    }
  });
});
