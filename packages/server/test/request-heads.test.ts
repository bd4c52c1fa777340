import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { soonMs, within } from '../../../test/waits.ts';
import { bearer, secret } from './access/tokens.ts';
import { connectRaw, startServer } from './harness.ts';
import { declare, subscribersOf, temporaryDirectory } from './http-tools.ts';
import { RawPolling } from './hostile/wire.ts';

/** All that a server sends in response to bytes, until it closes the connection. */
async function answersTo(url: string, bytes: string, isEnd = false): Promise<string> {
  const { socket, ended } = connectRaw(url);
  if (isEnd) socket.end(bytes);
  else socket.write(bytes);
  return ended;
}

function statusesIn(answers: string): readonly string[] {
  return [...answers.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status = '']) => status);
}

const json = '{"topic": "news", "message": "tea"}';
const publish = `POST /publish HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${json.length}\r\n\r\n${json}`;
const get = (path: string, headers = ''): string =>
  `GET ${path} HTTP/1.1\r\nHost: localhost\r\n${headers}\r\n`;

describe('a half-closed client, which has ended its side of the connection after its request', () => {
  it.each([
    ['a publish', publish, /Message published/],
    ['a page of messages', get('/messages?topic=news'), /"messages":\[/],
    ['a text', get('/'), /Fanfare/],
    ['a file', get('/console/console.js'), /[^]{100000}/],
    ['an error', get('/messages?topic=nobody'), /topic_not_found/],
    ['a session', get('/socket.io/?EIO=4&transport=polling'), /"sid":/],
    ["Socket.IO's client", get('/socket.io/socket.io.js'), /[^]{10000}/],
    ['several', publish + get('/topic?topic=news') + get('/'), /published[^]*"published":1[^]*Fanfare/],
  ])(
    'a half-closed client gets its response, and then the end of the connection: %s',
    async (_what, request, answer) => {
      const { url } = await startServer();
      await declare(url, 'news');
      expect(await answersTo(url, request, true)).toMatch(answer);
    },
  );

  it('a half-closed client gets the response to a publish that must be stored first', async () => {
    const { url } = await startServer({ data: await temporaryDirectory() });
    await declare(url, 'news');
    expect(await answersTo(url, publish, true)).toMatch(/Message published/);
  });

  it('a half-closed client gets its response when its token must be verified first', async () => {
    const { url } = await startServer({ key: secret });
    const { authorization } = await bearer();
    const request = get('/identity', `Authorization: ${authorization}\r\n`);
    expect(await answersTo(url, request, true)).toContain('"subject":"ann"');
  });

  it("a half-closed client's stream or poll ends, because it looks like a client that has left", async () => {
    const { url } = await startServer();
    await declare(url, 'news');
    const { socket, ended } = connectRaw(url);
    socket.write(get('/messages?topic=news', 'Accept: text/event-stream\r\n'));
    await within(soonMs, 'the server begins to answer', once(socket, 'data'));
    expect(await subscribersOf(url, 'news')).toBe(1);
    socket.end();
    await ended;
    await expect.poll(() => subscribersOf(url, 'news')).toBe(0);
    const stream = get('/messages?topic=news', 'Accept: text/event-stream\r\n');
    await answersTo(url, stream, true);
    await expect.poll(() => subscribersOf(url, 'news')).toBe(0);
    const session = await RawPolling.open(url);
    const poll = connectRaw(url);
    poll.socket.end(get(session.url.slice(url.length)));
    await poll.ended;
    await expect.poll(async () => (await session.poll()).status).toBe(400);
  });
});

describe('a request with two Host headers', () => {
  it.each([
    ['/topics', ''],
    ['/socket.io/?EIO=4&transport=polling', ''],
    ['/socket.io/?EIO=4&transport=websocket', 'Connection: Upgrade\r\nUpgrade: websocket\r\n'],
  ])('a request with two Host headers is refused as malformed: %s', async (path, headers) => {
    const { url } = await startServer();
    for (const second of ['Host: localhost', 'HOST: evil.example']) {
      const rest = `${headers || 'Connection: close\r\n'}${second}\r\n`;
      const answer = await answersTo(url, get(path, rest));
      expect([second, statusesIn(answer)]).toEqual([second, ['400']]);
      expect(answer).toContain('A request must have only one `Host` header');
    }
  });
});

describe('OPTIONS', () => {
  it.each([
    'OPTIONS / HTTP/1.0\r\n\r\n',
    'OPTIONS * HTTP/1.0\r\n\r\n',
    'OPTIONS / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n',
    'OPTIONS * HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n',
  ])('OPTIONS gets status 200, for health checks: %j', async (request) => {
    for (const options of [{}, { key: secret }, { origins: 'https://app.example' }]) {
      const { url } = await startServer(options);
      const answer = await answersTo(url, request);
      expect(statusesIn(answer)).toEqual(['200']);
      expect(answer.toLowerCase()).toContain('\r\nallow: get, head, options\r\n');
    }
  });
});

describe('a target in absolute form, as proxies send it', () => {
  it.each([
    ['http://localhost:5000/topics', '200'],
    ['HTTP://localhost/topics?limit=1', '200'],
    ['https://localhost/', '200'],
    ['http://localhost', '200'],
    ['http://localhost?a', '200'],
    ['http://localhost/messages?topic=news', '200'],
    ['http://localhost/topics/%6eews', '200'],
    ['http://localhost/nothing', '404'],
    ['http://localhost/socket.io/?EIO=4&transport=polling', '200'],
    ['http://localhost/socket.io/socket.io.js', '200'],
    // The host of the target has precedence over the header.
    ['http://evil.example/topics', '403'],
    ['http://evil.example/socket.io/?EIO=4&transport=polling', '403'],
  ])('a request target in absolute form is treated like its path: %s', async (target, status) => {
    const { url } = await startServer();
    await declare(url, 'news');
    expect(statusesIn(await answersTo(url, get(target, 'Connection: close\r\n')))).toEqual([status]);
  });

  it('a request target in absolute form can open a websocket', async () => {
    const { url } = await startServer();
    const { socket } = connectRaw(url);
    const key = 'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n';
    const offer = `Connection: Upgrade\r\nUpgrade: websocket\r\n${key}`;
    socket.write(get('http://localhost/socket.io/?EIO=4&transport=websocket', offer));
    const [answer] = (await within(soonMs, 'the server answers the upgrade', once(socket, 'data'))) as [
      string,
    ];
    expect(statusesIn(answer)).toEqual(['101']);
    socket.destroy();
  });
});
