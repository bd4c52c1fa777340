import { once } from 'node:events';
import { get, type IncomingHttpHeaders } from 'node:http';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { nextEvent, soonMs, within } from '../../../test/waits.ts';
import { connectClient, connectRaw, publish, startServer } from './harness.ts';
import { declare } from './http-tools.ts';

interface RawAnswer {
  readonly status: number | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** The unchanged bytes of a response: `fetch` would decompress them. */
function rawGet(url: string, headers: IncomingHttpHeaders = {}): Promise<RawAnswer> {
  const answer = new Promise<RawAnswer>((resolve, reject) => {
    get(url, { headers: { connection: 'close', ...headers } }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => void chunks.push(chunk));
      response.once('end', () => {
        resolve({ status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks) });
      });
    }).once('error', reject);
  });
  return within(soonMs, 'the server answers', answer);
}

describe('POST /publish', () => {
  const text = 'text/plain; charset=utf-8';
  const json = 'application/json; charset=utf-8';

  it.each([
    ['*/*', text],
    ['text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8', text],
    ['text/plain', text],
    ['image/png', text],
    ['application/json', json],
    ['application/json, text/plain, */*', json],
    ['text/plain;q=0.5, application/json', json],
    ['application/problem+json, application/json', json],
  ])('POST /publish responds to Accept: %s with %s', async (accept, type) => {
    const { url } = await startServer();
    const client = await connectClient(url);
    await client.emitWithAck('subscribe', { topic: 'news' });

    const done = await publish(url, { topic: 'news', message: 1 }, { accept });
    expect(done).toMatchObject({ status: 200, type });
    const missing = await publish(url, { topic: 'x', message: 1 }, { accept });
    expect(missing.status).toBe(404);

    if (type === text) {
      expect(done.text).toBe("Message published to topic 'news'");
      expect(missing).toMatchObject({ type: text, text: "Topic 'x' does not exist" });
    } else {
      expect(JSON.parse(done.text)).toEqual({
        ok: true,
        topic: 'news',
        offset: expect.any(String) as string,
        time: expect.any(Number) as number,
        stored: 'memory',
      });
      expect(missing.type).toBe('application/problem+json; charset=utf-8');
      expect(JSON.parse(missing.text)).toEqual({
        type: 'urn:fanfare:error:topic_not_found',
        title: 'The topic does not exist',
        status: 404,
        detail: "Topic 'x' does not exist",
        code: 'topic_not_found',
        retryable: true,
      });
    }
  });

  it('POST /publish stores two publishes with the same id once, and refuses other content under that id', async () => {
    const { url } = await startServer();
    const client = await connectClient(url);
    await client.emitWithAck('subscribe', { topic: 'news' });
    await client.emitWithAck('subscribe', { topic: 'other' });
    const accept = { accept: 'application/json' };

    const first = await publish(url, { topic: 'news', message: { a: 1 }, id: 'once' }, accept);
    const again = await publish(url, '{"topic": "news", "message": {"a" : 1}}', {
      ...accept,
      'idempotency-key': 'once',
    });
    const conflict = await publish(url, { topic: 'news', message: 2, id: 'once' });
    const elsewhere = await publish(url, { topic: 'other', message: 2, id: 'once' }, accept);
    const both = await publish(url, { topic: 'news', message: 1, id: 'a' }, { 'idempotency-key': 'b' });

    expect(JSON.parse(again.text)).toEqual({ ...(JSON.parse(first.text) as object), duplicate: true });
    expect(JSON.parse(conflict.text)).toMatchObject({ status: 409, code: 'id_conflict' });
    expect(JSON.parse(elsewhere.text)).toEqual(expect.not.objectContaining({ duplicate: true }));
    expect(JSON.parse(both.text)).toMatchObject({ status: 400, errors: [{ field: 'id' }] });
  });

  it('POST /publish reads Idempotency-Key as UTF-8, equal to the `id` of bodies and events, and refuses repeated or malformed keys', async () => {
    const { url } = await startServer();
    const client = await connectClient(url);
    await client.emitWithAck('subscribe', { topic: 'news' });
    const id = 'Bestellung 7 é 😀 \uFEFF日';
    const key = Buffer.from(id).toString('latin1');
    const headers = { accept: 'application/json', 'idempotency-key': key };
    const message = { topic: 'news', message: 1 };
    const first = JSON.parse((await publish(url, message, headers)).text) as object;
    expect(first).toMatchObject({ ok: true, id });
    const again = { ...first, duplicate: true };
    const { accept } = headers;
    expect(JSON.parse((await publish(url, { ...message, id }, { accept })).text)).toEqual(again);
    expect(JSON.parse((await publish(url, { ...message, id }, headers)).text)).toEqual(again);
    expect(await client.emitWithAck('publish', { ...message, id })).toEqual(again);

    const field = [{ field: 'Idempotency-Key' }];
    for (const bytes of ['\u00e9', '\u00ff', '\u00c3', 'a\u00c0\u0080'])
      expect(JSON.parse((await publish(url, message, { 'idempotency-key': bytes })).text)).toMatchObject({
        code: 'bad_request',
        errors: field,
      });
    const body = JSON.stringify(message);
    for (const keys of [
      ['a', 'b'],
      ['a', 'a'],
      ['a', ''],
    ]) {
      const { socket, ended } = connectRaw(url);
      socket.write(
        `POST /publish HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n` +
          `${keys.map((one) => `Idempotency-Key: ${one}\r\n`).join('')}Content-Length: ${body.length}\r\n\r\n${body}`,
      );
      expect([keys, await ended]).toEqual([
        keys,
        expect.stringMatching(/^HTTP\/1\.1 400 .*must not be repeated/s),
      ]);
    }
    expect(JSON.parse((await publish(url, message, { 'idempotency-key': '' })).text)).toMatchObject({
      code: 'bad_request',
    });
  });
});

describe('a client that offers another protocol', () => {
  it.each([
    ['h2c, as Java does', 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk'],
    ['a websocket', 'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13'],
  ])(
    'a request that offers an upgrade to another protocol is handled as if it had not: %s',
    async (_what, headers) => {
      const { url } = await startServer();
      const client = await connectClient(url);
      const received = nextEvent(client, 'news', 'the subscriber gets the message');
      await client.emitWithAck('subscribe', { topic: 'news' });
      const { socket, ended } = connectRaw(url);
      const body = '{"topic":"news","message":"x"}';
      const head = `POST /publish HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n${headers}\r\n`;
      socket.write(`${head}Content-Length: ${body.length}\r\n\r\n${body.slice(0, 9)}`);
      socket.write(body.slice(9));
      expect(await received).toEqual({ message: 'x' });
      socket.write('GET / HTTP/1.0\r\n\r\n');
      expect(await ended).toMatch(
        /^HTTP\/1\.1 200 OK[^]*Message published to topic 'news'HTTP\/1\.1 200 OK[^]*Fanfare/,
      );
    },
  );
});

describe('pipelined offers of an upgrade to another protocol', () => {
  it('pipelined requests that offer an upgrade get their responses one by one, and leave no listeners', async () => {
    const { url } = await startServer();
    const warnings: unknown[] = [];
    process.on('warning', (warning) => warnings.push(warning));
    const { socket, ended } = connectRaw(url);
    const offer =
      'GET /nothing HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\r\n';
    const last = offer.replace('Connection: ', 'Connection: close, ');
    socket.write(`GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n${offer.repeat(12)}${last}`);
    expect((await ended).match(/HTTP\/1\.1 404/g)).toHaveLength(14);
    expect(warnings).toEqual([]);
  });

  it('a connection that breaks before its pipelined upgrade offer is handled does no other harm', async () => {
    const { url } = await startServer();
    await declare(url, 'news');
    const { socket } = connectRaw(url);
    const stream = 'GET /topics/news/messages HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n';
    socket.write(`${stream}\r\n${stream}Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n`);
    await within(soonMs, 'the server begins to answer', once(socket, 'data'));
    socket.resetAndDestroy();
    const open = async (): Promise<unknown> => (await fetch(`${url}/connections`)).json();
    await expect.poll(open).toMatchObject({ connections: [] });
  });
});

describe('a response that ends its connection', () => {
  it('a publish after a response that ends the connection is not executed', async () => {
    const { url } = await startServer({
      publishBytesMax: 1_000,
      rules: [{ match: '**', create: 'publish' }],
    });
    await declare(url, 'news');
    const { socket } = connectRaw(url);
    // The next request is handled when the stream has ended.
    socket.write('GET /topics/news/messages HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n');
    await within(soonMs, 'the server begins to answer', once(socket, 'data'));
    const post = 'POST /publish HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n';
    const write = (text: string): Promise<void> =>
      within(
        soonMs,
        'the request is written',
        new Promise<void>((resolve) => void socket.write(text, () => resolve())),
      );
    const body = JSON.stringify({ topic: 'behind', message: 1 });
    await write(`${post}Content-Length: 2000\r\n\r\n{`);
    await publish(url, { topic: 'news', message: 1 });
    await write(`${' '.repeat(1_999)}${post}Content-Length: ${body.length}\r\n\r\n${body}`);
    await publish(url, { topic: 'news', message: 2 });
    expect((await fetch(`${url}/topics/behind`)).status).toBe(404);
    socket.destroy();
  });
});

describe('other requests', () => {
  it('a response leaves the connection open for the next request', async () => {
    const { url } = await startServer();
    const { socket, ended } = connectRaw(url);
    for (const path of ['/', '/nothing']) {
      socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`);
      await nextEvent(socket, 'data', 'the server answers the request');
    }
    socket.write('GET / HTTP/1.0\r\n\r\n');
    expect((await ended).match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 404', 'HTTP/1.1 200']);
  });

  it('GET / responds to programs with one line that names Fanfare', async () => {
    const { url } = await startServer();
    for (const headers of [{}, { accept: '*/*' }, { accept: 'application/json' }]) {
      const response = await fetch(url, { headers });
      expect(response.headers.get('content-type')).toBe('text/plain; charset=utf-8');
      expect(await response.text()).toMatch(/^Fanfare \d+\.\d+\.\d+: .*\n$/);
    }
  });

  it('GET / serves the console to a browser, with a policy that allows no resources from elsewhere', async () => {
    const { url } = await startServer();
    const response = await fetch(url, { headers: { accept: 'text/html,application/xhtml+xml,*/*;q=0.8' } });
    expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(response.headers.get('content-security-policy')).toContain("default-src 'self'");
    expect(await response.text()).toContain('<title>Fanfare</title>');
  });

  it('the files of the console are compressed and cached', async () => {
    const { url } = await startServer();
    for (const path of ['/fanfare.js', '/console/console.js', '/console/console.css']) {
      const { body: whole, headers } = await rawGet(`${url}${path}`);
      expect(headers).toMatchObject({ vary: 'Origin, Accept-Encoding', 'cache-control': 'no-cache' });
      const zipped = await rawGet(`${url}${path}`, { 'accept-encoding': 'br, gzip;q=0.9' });
      expect(zipped.headers).toMatchObject({ 'content-encoding': 'gzip', etag: headers.etag });
      expect(zipped.body.length).toBeLessThan(whole.length / 2);
      expect(gunzipSync(zipped.body).equals(whole)).toBe(true);
      const again = await rawGet(`${url}${path}`, { 'if-none-match': headers.etag });
      expect([again.status, again.body.length]).toEqual([304, 0]);
      expect((await rawGet(`${url}${path}`, { 'if-none-match': 'W/"another"' })).status).toBe(200);
    }
  });

  it('an unknown path gets 404, and an unknown method gets 405 with the allowed ones', async () => {
    const { url } = await startServer();
    const missing = await fetch(`${url}/nothing/here?x=1`);
    expect(await missing.json()).toMatchObject({
      status: 404,
      code: 'not_found',
      detail: 'There is nothing at /nothing/here.',
    });
    expect((await fetch(`${url}/console/console.js`, { method: 'POST' })).status).toBe(405);
    for (const method of ['GET', 'PUT', 'DELETE', 'OPTIONS']) {
      const response = await fetch(`${url}/publish`, { method });
      expect([response.status, response.headers.get('allow')]).toEqual([405, 'POST']);
      expect(await response.json()).toMatchObject({ code: 'method_not_allowed' });
    }
  });
});
