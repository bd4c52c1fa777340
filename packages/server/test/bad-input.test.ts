import { gzipSync } from 'node:zlib';
import { errorCodes, type ErrorCode } from '@fanfare/protocol';
import { describe, expect, it } from 'vitest';
import { nextEvent, soonMs, within } from '../../../test/waits.ts';
import { connectClient, connectRaw, publish, Recorder, sendPacket, startServer } from './harness.ts';
import { declare, readPage } from './http-tools.ts';

const deep = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels);
const withMessage = (messageJson: string): string => `{"topic":"news","message":${messageJson}}`;

/** Values that are refused as a topic everywhere. */
const illegalTopics: readonly [string, unknown, ErrorCode][] = [
  ['a missing topic', undefined, 'bad_request'],
  ['null', null, 'bad_request'],
  ['a number', 5, 'bad_request'],
  ['an object', { toString: 'news' }, 'bad_request'],
  ['an empty topic', '', 'topic_name_invalid'],
  ['a topic of 256 bytes', 'a'.repeat(256), 'topic_name_invalid'],
  ['a topic of 86 characters and 258 bytes', '語'.repeat(86), 'topic_name_invalid'],
  ['a line feed', 'a\nb', 'topic_name_invalid'],
  ['a NUL', 'a\0', 'topic_name_invalid'],
  ["Engine.IO's separator of packets", 'a\u001eb', 'topic_name_invalid'],
  ['a control character over ASCII', 'a\u0085', 'topic_name_invalid'],
  ['half of a surrogate pair', 'a\ud800', 'topic_name_invalid'],
  ['a leading $', '$SYS/load', 'topic_name_invalid'],
  ['** before the last segment', '**/a', 'topic_name_invalid'],
];

/** Patterns, which are refused as a topic. */
const patterns: typeof illegalTopics = [
  ['a wildcard', '*', 'topic_name_invalid'],
  ['a wildcard segment', 'a/**', 'topic_name_invalid'],
];

describe('a bad publish over HTTP', () => {
  const bodies: readonly [string, string | Uint8Array, number, ErrorCode][] = [
    ['nothing', '', 400, 'bad_request'],
    ['invalid JSON', '{"topic": news}', 400, 'bad_request'],
    ['half of a JSON text', '{"topic":"news","message":"', 400, 'bad_request'],
    ['NaN', withMessage('NaN'), 400, 'bad_request'],
    ['two JSON texts', '{"topic":"news","message":1}{}', 400, 'bad_request'],
    ['a string', '"news"', 400, 'bad_request'],
    ['null', 'null', 400, 'bad_request'],
    ['no message', '{"topic":"news"}', 400, 'bad_request'],
    ['an inherited topic', '{"__proto__":{"topic":"news"},"message":1}', 400, 'bad_request'],
    [
      'bytes that are not UTF-8',
      Buffer.from('{"topic":"news","message":"\xff"}', 'latin1'),
      400,
      'bad_request',
    ],
    ['UTF-16', Buffer.from('{"topic":"news","message":1}', 'utf16le'), 400, 'bad_request'],
    [
      'an overlong encoding',
      Buffer.from('{"topic":"news","message":"\xc0\x80"}', 'latin1'),
      400,
      'bad_request',
    ],
    ['a number as id', '{"topic":"news","message":1,"id":1}', 400, 'bad_request'],
    ['an id of 256 bytes', `{"topic":"news","message":1,"id":"${'a'.repeat(256)}"}`, 400, 'bad_request'],
    ['65 levels', withMessage(deep(65)), 400, 'payload_too_deep'],
    ['a million levels', withMessage(deep(500_000)), 400, 'payload_too_deep'],
    ['over a mebibyte', withMessage(`"${'a'.repeat(1_048_576)}"`), 413, 'payload_too_large'],
  ];

  it.each(bodies)(
    'a bad publish over HTTP is refused, and nothing is delivered: %s',
    async (_what, body, status, code) => {
      const { url } = await startServer();
      const client = await connectClient(url);
      const recorder = new Recorder(client);
      await client.emitWithAck('subscribe', { topic: 'news' });

      const answer = await publish(url, body);

      expect(answer).toMatchObject({ status, type: 'application/problem+json; charset=utf-8' });
      expect(JSON.parse(answer.text)).toMatchObject({ code, status, title: errorCodes[code].title });
      expect(await recorder.settled(url)).toEqual([]);
    },
  );

  it.each([...illegalTopics, ...patterns])(
    'a publish over HTTP to %s as topic is refused',
    async (_what, topic, code) => {
      const { url } = await startServer();
      const answer = await publish(url, { topic, message: 1 });
      expect(JSON.parse(answer.text)).toMatchObject({ status: 400, code, errors: [{ field: 'topic' }] });
    },
  );

  it.each([
    ['text', { 'content-type': 'text/plain' }],
    ['a form', { 'content-type': 'application/x-www-form-urlencoded' }],
    ['NDJSON by another name', { 'content-type': 'application/jsonl' }],
    ['what only begins like JSON', { 'content-type': 'application/jsonp' }],
  ])('a publish over HTTP with another content type is refused with 415: %s', async (_what, headers) => {
    const { url } = await startServer();
    const answer = await publish(url, { topic: 'news', message: 1 }, headers);
    expect(answer.status).toBe(415);
    expect(JSON.parse(answer.text)).toMatchObject({ code: 'bad_request', status: 415 });
  });

  it('a publish over HTTP with a compressed body is refused with 415', async () => {
    const { url } = await startServer();
    const body = gzipSync('{"topic":"news","message":1}');
    const answer = await publish(url, body, { 'content-encoding': 'gzip' });
    expect(JSON.parse(answer.text)).toMatchObject({ code: 'bad_request', status: 415 });
  });

  it('a publish over HTTP without content type and body is refused with 415', async () => {
    const { url } = await startServer();
    const response = await fetch(`${url}/publish`, { method: 'POST' });
    expect(await response.json()).toMatchObject({ code: 'bad_request', status: 415 });
  });

  it('unusual but correct publishes are accepted: 64 levels, a byte order mark, a mebibyte, a repeated member', async () => {
    const { url } = await startServer();
    const client = await connectClient(url);
    const recorder = new Recorder(client);
    await client.emitWithAck('subscribe', { topic: 'news' });
    const overhead = withMessage('""').length;
    const big = 'a'.repeat(1_048_576 - overhead);

    expect((await publish(url, withMessage(deep(64)))).status).toBe(200);
    expect((await publish(url, `\uFEFF${withMessage('1')}`)).status).toBe(200);
    expect((await publish(url, withMessage(`"${big}"`))).status).toBe(200);
    expect((await publish(url, '{"topic":"old","message":1,"topic":"news","mess\\u0061ge":2}')).status).toBe(
      200,
    );

    expect(await recorder.settled(url)).toEqual([
      ['news', { message: JSON.parse(deep(64)) as unknown }],
      ['news', { message: 1 }],
      ['news', { message: big }],
      ['news', { message: 2 }],
    ]);
  });
});

describe('a bad subscribe', () => {
  const notObjects: readonly [string, unknown[]][] = [
    ['no argument', []],
    ['an array', [[{ topic: 'news' }]]],
    ['a number', [7]],
    ['a string', ['news']],
    ['null', [null]],
    ['binary data', [Buffer.from('news')]],
  ];

  it.each(notObjects)(
    'an event with a bad argument is refused in its acknowledgement: %s',
    async (_what, args) => {
      const { url } = await startServer();
      const client = await connectClient(url);
      for (const event of ['subscribe', 'unsubscribe', 'publish']) {
        expect(await client.emitWithAck(event, ...args)).toMatchObject({
          ok: false,
          error: { code: 'bad_request' },
        });
      }
    },
  );

  it.each(notObjects)(
    'an event with a bad argument and no acknowledgement is refused in the event `error`: %s',
    async (_what, args) => {
      const { url } = await startServer();
      const client = await connectClient(url);
      const refused = within(
        soonMs,
        'the subscription is refused',
        new Promise((resolve) => void client.once('error', (...problem) => resolve(problem))),
      );
      client.emit('subscribe', ...args);
      expect(await refused).toEqual([
        expect.objectContaining({ code: 'bad_request', status: 400, retryable: false }),
      ]);
    },
  );

  it.each(illegalTopics)('an event with %s as topic is refused', async (_what, topic, code) => {
    const { url } = await startServer();
    const client = await connectClient(url);
    for (const event of ['subscribe', 'unsubscribe', 'publish']) {
      expect(await client.emitWithAck(event, { topic, message: 1 })).toMatchObject({
        ok: false,
        error: { code, errors: [{ field: 'topic' }] },
      });
    }
  });

  it.each([
    [{ envelope: 1 }, 'envelope'],
    [{ envelope: null }, 'envelope'],
    [{ from: 'yesterday' }, 'from'],
    [{ from: 7 }, 'from'],
    [{ from: null }, 'from'],
    [{ from: {} }, 'from'],
    [{ from: { last: -1 } }, 'from'],
    [{ from: { last: 1, time: 1 } }, 'from'],
    [{ from: 'epoch.' }, 'from'],
  ])('a subscribe with a wrong field is refused, and the field is named: %j', async (fields, field) => {
    const { url } = await startServer();
    const client = await connectClient(url);
    const answer: unknown = await client.emitWithAck('subscribe', { topic: 'news', ...fields });
    expect(answer).toMatchObject({ ok: false, error: { code: 'bad_request', errors: [{ field }] } });
    expect((await publish(url, { topic: 'news', message: 1 })).status).toBe(404);
  });

  it('an unknown event is refused', async () => {
    const { url } = await startServer();
    const client = await connectClient(url);
    expect(await client.emitWithAck('subscibe', { topic: 'news' })).toMatchObject({
      ok: false,
      error: { code: 'bad_request', detail: expect.stringContaining("'subscibe'") as string },
    });
  });
});

describe('a topic with a reserved name', () => {
  const kept =
    'connect connect_error disconnect disconnecting newListener removeListener message state gap error token __proto__';

  it.each(kept.split(' '))(
    'a plain subscription to a reserved name is refused, and an envelope subscription works: %s',
    async (topic) => {
      const { url } = await startServer();
      const client = await connectClient(url);
      const recorder = new Recorder(client);

      const refusal: unknown = await client.emitWithAck('subscribe', { topic });
      expect(refusal).toMatchObject({ ok: false, error: { code: 'topic_name_reserved' } });
      expect((await publish(url, { topic, message: 1 })).status).toBe(404);

      await client.emitWithAck('subscribe', { topic, envelope: true });
      expect((await publish(url, { topic, message: 2 })).status).toBe(200);
      expect(await recorder.settled(url)).toEqual([
        [
          'message',
          { topic, message: 2, offset: expect.any(String) as string, time: expect.any(Number) as number },
        ],
      ]);
      expect(({} as Record<string, unknown>)['topic']).toBeUndefined();
    },
  );
});

describe('a socket that misbehaves', () => {
  it.each([
    ['an event of a name that Socket.IO keeps', '42["connect",{}]'],
    ['a packet of no known type', '4z'],
    ['an acknowledgement of nothing', '43999[]'],
    ['JSON that is broken', '42["subscribe",{'],
    ['an event that is not an array', '42{"subscribe":1}'],
    ['an event of no name', '42[]'],
    ['attachments that never come', '451-["subscribe",{"_placeholder":true,"num":0}]'],
    ['an attachment of an impossible number', '451-["subscribe",{"_placeholder":true,"num":-1}]'],
    ['another namespace', '42/other,["subscribe",{"topic":"news"}]'],
  ])('a Socket.IO client that misbehaves does not affect others: %s', async (_what, packet) => {
    const { url } = await startServer();
    const [bad, good] = [await connectClient(url), await connectClient(url)];
    const recorder = new Recorder(good);
    await good.emitWithAck('subscribe', { topic: 'news' });

    sendPacket(bad, packet);

    await publish(url, { topic: 'news', message: 'still here' });
    expect(await recorder.settled(url)).toEqual([['news', { message: 'still here' }]]);
  });

  it('a client whose publish is too large gets an error, or is disconnected if it is far too large', async () => {
    const { url } = await startServer({ publishBytesMax: 1_000 });
    const client = await connectClient(url);
    await client.emitWithAck('subscribe', { topic: 'news' });
    const answer: unknown = await client.emitWithAck('publish', {
      topic: 'news',
      message: 'a'.repeat(1_000),
    });
    expect(answer).toMatchObject({ ok: false, error: { code: 'payload_too_large', status: 413 } });

    const gone = nextEvent(
      client,
      'disconnect',
      'the connection is closed after a message that is far too large',
    );
    client.emit('publish', { topic: 'news', message: 'a'.repeat(100_000) });
    await gone;
  });

  it.each(['null', 'https://localhost.evil.example', 'http://evil.example', 'http://localhost:1', 'garbage'])(
    'a Socket.IO connection from a page of another origin is refused: %s',
    async (origin) => {
      const { url } = await startServer();
      const extraHeaders = { origin };
      await expect(connectClient(url, 'websocket', { extraHeaders })).rejects.toThrow('websocket error');
      await expect(connectClient(url, 'polling', { extraHeaders })).rejects.toThrow('xhr poll error');
    },
  );

  it("a Socket.IO connection from the server's own page is accepted", async () => {
    const { url } = await startServer();
    const client = await connectClient(url, 'websocket', { extraHeaders: { origin: url } });
    expect(client.connected).toBe(true);
  });
});

describe('a connection that misbehaves', () => {
  const head = (...headers: string[]): string =>
    ['POST /publish HTTP/1.1', 'Host: localhost', 'Content-Type: application/json', ...headers, '', ''].join(
      '\r\n',
    );

  it('an endless chunked body gets 413, and other clients are served meanwhile', async () => {
    const { url } = await startServer({ publishBytesMax: 10_000 });
    const { socket, ended } = connectRaw(url);
    socket.write(head('Transfer-Encoding: chunked'));
    const chunk = `1000\r\n${'a'.repeat(0x1000)}\r\n`;
    const flood = (): void => {
      while (!socket.destroyed && socket.write(chunk));
    };
    socket.on('drain', flood);
    flood();

    expect((await publish(url, { topic: 'news', message: 1 })).status).toBe(404);
    const answer = await ended;
    expect(answer).toContain('HTTP/1.1 413 Payload Too Large');
    expect(answer).toContain('"code":"payload_too_large"');
  });

  it('bytes after a publish that are not a request get no response that could be mistaken for that of the publish', async () => {
    const { url } = await startServer();
    await declare(url, 'news');
    const { socket, ended } = connectRaw(url);
    const body = '{"topic":"news","message":1}';
    socket.write(`${head(`Content-Length: ${body.length}`)}${body}nonsense\r\n\r\n`);
    expect(await ended).toBe('');
    await expect.poll(async () => (await readPage(url, 'news')).messages).toHaveLength(1);
  });

  it('a request that does not arrive in time gets 408', async () => {
    const { url } = await startServer({ requestTimeoutMs: 1_000 });
    const { socket, ended } = connectRaw(url);
    socket.write(head('Transfer-Encoding: chunked') + '1\r\n{\r\n');
    const answer = await ended;
    expect(answer).toContain('HTTP/1.1 408 Request Timeout');
    expect(answer).toContain('"code":"bad_request"');
  });

  it.each([
    [
      'a body of another type',
      'POST /publish HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: 9\r\n\r\n',
      415,
    ],
    ['a body to an unknown path', 'POST /nothing HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n', 404],
    ['an endless body to GET', 'GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n', 200],
  ])(
    'a request with a body that nobody reads gets one response, and its connection is closed: %s',
    async (_what, bytes, status) => {
      const { url } = await startServer();
      const { socket, ended } = connectRaw(url);
      socket.write(bytes);
      expect((await ended).match(/HTTP\/1\.1 \d+/g)).toEqual([`HTTP/1.1 ${status}`]);
    },
  );

  it('a publish that is too large gets its refusal even while its body is still arriving', async () => {
    const { url } = await startServer();
    const { socket, ended } = connectRaw(url);
    const errors: Error[] = [];
    socket.on('error', (error) => errors.push(error));
    const body = 'x'.repeat(16 * 2 ** 20);
    socket.write(`${head(`Content-Length: ${body.length}`)}${body}`);
    expect(await ended).toContain('HTTP/1.1 413 Payload Too Large');
    expect(errors).toEqual([]);
  });

  it.each([
    ['bytes that are not HTTP', 'GARBAGE\r\n\r\n', '400 Bad Request'],
    ['two lengths', head('Content-Length: 1', 'Content-Length: 2'), '400 Bad Request'],
    ['a length and chunks', head('Content-Length: 1', 'Transfer-Encoding: chunked'), '400 Bad Request'],
    ['a negative length', head('Content-Length: -1'), '400 Bad Request'],
    ['no host', 'GET /topics HTTP/1.1\r\nConnection: close\r\n\r\n', '400 Bad Request'],
    [
      'an unknown expectation',
      'GET /topics HTTP/1.1\r\nHost: x\r\nExpect: more\r\nConnection: close\r\n\r\n',
      '417 Expectation Failed',
    ],
    ['20 KB of headers', head(`X: ${'a'.repeat(20_000)}`), '431 Request Header Fields Too Large'],
  ])('a malformed request gets an error, and its connection is closed: %s', async (_what, bytes, status) => {
    const { url } = await startServer();
    const { socket, ended } = connectRaw(url);
    socket.write(bytes);
    const answer = await ended;
    expect(answer).toContain(`HTTP/1.1 ${status}`);
    expect(answer).toContain('"code":"bad_request"');
    expect((await publish(url, { topic: 'news', message: 1 })).status).toBe(404);
  });
});
