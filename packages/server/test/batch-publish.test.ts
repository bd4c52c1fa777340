import type { Socket } from 'node:net';
import type { Problem, PublishResult } from '@fanfare/protocol';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { connectClient, connectRaw, publish, Recorder, startServer, type HttpAnswer } from './harness.ts';
import { declare, temporaryDirectory } from './http-tools.ts';

const lines = { 'content-type': 'application/x-ndjson' };

/** The result of one message. */
type Result = Partial<Omit<PublishResult, 'ok'>> & { readonly ok: boolean; readonly error?: Problem };

/** Parses the results of a batch, and makes sure that JSON.stringify would have printed each as it is. */
function resultsOf({ status, type, text }: HttpAnswer): Result[] {
  expect(status).toBe(200);
  if (type.startsWith('application/json')) {
    const all = JSON.parse(text) as Result[];
    expect(text).toBe(JSON.stringify(all));
    return all;
  }
  expect(type).toMatch(/^application\/x-ndjson/);
  expect(text === '' || text.endsWith('\n')).toBe(true);
  const all = text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Result);
  expect(text).toBe(all.map((result) => `${JSON.stringify(result)}\n`).join(''));
  return all;
}

/** For each message `ok`, or the error's code. */
function verdicts(answer: HttpAnswer): string[] {
  return resultsOf(answer).map(({ ok, error }) => (ok ? 'ok' : (error?.code ?? '?')));
}

async function stored(url: string, topic: string): Promise<string> {
  return (await fetch(`${url}/topics/${encodeURIComponent(topic)}/messages?limit=1000`)).text();
}

describe('a batch publish as a JSON array', () => {
  it('the messages of a batch succeed or fail one by one, and the response has their results in order', async () => {
    const { url } = await startServer();
    const client = await connectClient(url);
    const recorder = new Recorder(client);
    await client.emitWithAck('subscribe', { topic: 'news' });
    await client.emitWithAck('subscribe', { topic: 'a/b' });

    const answer = await publish(url, [
      { topic: 'news', message: 1 },
      { topic: 'nowhere', message: 2 },
      { topic: 'a/b', message: null, id: 'x' },
      { topic: 'a/b', message: null, id: 'x' },
      { topic: 'a/b', message: 1, id: 'x' },
      { topic: '*', message: 1 },
      { message: 1 },
      { topic: 'news' },
      'news',
      null,
      [],
      [{ topic: 'news', message: 'nested' }],
      { topic: 'news', message: { last: true } },
    ]);

    expect(answer.type).toBe('application/json; charset=utf-8');
    expect(verdicts(answer)).toEqual([
      'ok',
      'topic_not_found',
      'ok',
      'ok',
      'id_conflict',
      'topic_name_invalid',
      ...Array.from({ length: 6 }, () => 'bad_request'),
      'ok',
    ]);
    expect(resultsOf(answer)[3]).toEqual({ ...resultsOf(answer)[2], duplicate: true });
    expect(resultsOf(answer)[1]).toMatchObject({
      error: { status: 404, detail: "Topic 'nowhere' does not exist" },
    });
    expect(await recorder.settled(url)).toEqual([
      ['news', { message: 1 }],
      ['a/b', { message: null }],
      ['news', { message: { last: true } }],
    ]);
  });

  it('the messages of a batch are delivered character for character, except white space', async () => {
    const { url } = await startServer();
    await declare(url, 'news');
    const body = `\uFEFF \n[ {"topic":"news" , "message" : [1.0, 12345678901234567890,"a\\u0020 b"]}\t,
      {"message":{"a":[ ]},"topic":"n\\u0065ws","message": -0.0e0 } ] \r\n`;
    expect(verdicts(await publish(url, body))).toEqual(['ok', 'ok']);
    const kept = await stored(url, 'news');
    expect(kept).toContain('"message":[1.0,12345678901234567890,"a\\u0020 b"],');
    expect(kept).toContain('"message":-0.0e0,');
  });

  it('the response to a batch is JSON whatever the client accepts, and an empty batch gets an empty array', async () => {
    const { url } = await startServer();
    for (const accept of ['*/*', 'text/plain', 'text/html', 'application/json']) {
      const answer = await publish(url, ' [ ] ', { accept });
      expect(answer).toEqual({ status: 200, type: 'application/json; charset=utf-8', text: '[]' });
    }
  });

  it.each([
    ['cut off', '[{"topic":"news","message":1},{"topic":"news","mess'],
    ['something behind it', '[{"topic":"news","message":1}] x'],
    ['two arrays', '[{"topic":"news","message":1}][]'],
    ['a comma too many', '[{"topic":"news","message":1},]'],
    ['an unescaped line break', '[{"topic":"news","message":"\n"}]'],
    ['only its beginning', '['],
  ])('a malformed batch publishes nothing: %s', async (_what, body) => {
    const { url } = await startServer();
    await declare(url, 'news');
    const answer = await publish(url, body);
    expect(JSON.parse(answer.text)).toMatchObject({ status: 400, code: 'bad_request' });
    expect(await stored(url, 'news')).toContain('"messages":[]');
  });

  it('a batch that is not UTF-8 publishes nothing', async () => {
    const { url } = await startServer();
    await declare(url, 'news');
    for (const headers of [{}, lines]) {
      const body = Buffer.concat([
        Buffer.from('[{"topic":"news","message":"'),
        Buffer.from([0xff]),
        Buffer.from('"}]'),
      ]);
      expect(JSON.parse((await publish(url, body, headers)).text)).toMatchObject({
        status: 400,
        code: 'bad_request',
      });
    }
    expect(await stored(url, 'news')).toContain('"messages":[]');
  });

  it('a batch with an Idempotency-Key is refused', async () => {
    const { url } = await startServer();
    for (const headers of [{}, lines]) {
      const answer = await publish(url, '[]', { ...headers, 'idempotency-key': 'x' });
      expect(JSON.parse(answer.text)).toMatchObject({ status: 400, errors: [{ field: 'Idempotency-Key' }] });
    }
  });

  it('a batch can be as large as its setting allows, and each message in it has the limit of a single publish', async () => {
    const { url } = await startServer({ publishBytesMax: 200, batchBytesMax: 2_000, batchMessagesMax: 12 });
    await declare(url, 'news');
    const message = 'x'.repeat(150);
    const many = Array.from({ length: 10 }, () => ({ topic: 'news', message }));
    expect(verdicts(await publish(url, many))).toEqual(many.map(() => 'ok'));
    const large = { topic: 'news', message: 'x'.repeat(199) };
    expect(verdicts(await publish(url, [many[0], large]))).toEqual(['ok', 'payload_too_large']);

    const tooLarge = { status: 413, code: 'payload_too_large' };
    expect(JSON.parse((await publish(url, large)).text)).toMatchObject(tooLarge);
    const tooMuch = [...many, ...many];
    expect(JSON.parse((await publish(url, tooMuch)).text)).toMatchObject(tooLarge);
    expect(
      JSON.parse((await publish(url, tooMuch.map((one) => JSON.stringify(one)).join('\n'), lines)).text),
    ).toMatchObject(tooLarge);
    const tooMany = Array.from({ length: 13 }, () => ({ topic: 'news', message: 1 }));
    expect(JSON.parse((await publish(url, tooMany)).text)).toMatchObject(tooLarge);
    expect(
      JSON.parse((await publish(url, tooMany.map((one) => JSON.stringify(one)).join('\n'), lines)).text),
    ).toMatchObject(tooLarge);
    expect(verdicts(await publish(url, tooMany.slice(1)))).toHaveLength(12);
  });

  it('a batch that is too large is refused before it has arrived completely', async () => {
    const { url } = await startServer({ publishBytesMax: 100, batchBytesMax: 1_000 });
    for (const [type, begin] of [
      ['application/json', '{"topic":"news","message":"'],
      ['application/json', '\r\n[{"topic":"news","message":"'],
      ['application/x-ndjson', '{"topic":"news","message":"'],
    ]) {
      const { socket, ended } = connectRaw(url);
      const chunk = `${begin}${'x'.repeat(1_000)}`;
      socket.write(
        `POST /publish HTTP/1.1\r\nHost: x\r\nContent-Type: ${type}\r\nTransfer-Encoding: chunked\r\n\r\n`,
      );
      socket.write(`${chunk.length.toString(16)}\r\n${chunk}\r\n`);
      expect(await ended).toMatch(/^HTTP\/1\.1 413 [^]*"code":"payload_too_large"/);
    }
  });

  it('a batch of very deep or wide messages does no harm', async () => {
    const { url } = await startServer();
    await declare(url, 'news');
    const nested = (levels: number): string => `${'['.repeat(levels)}${']'.repeat(levels)}`;
    const messages = [nested(64), nested(65), nested(100_000)].map(
      (text) => `{"topic":"news","message":${text}}`,
    );
    expect(verdicts(await publish(url, `[${messages.join(',')}]`))).toEqual([
      'ok',
      'payload_too_deep',
      'payload_too_deep',
    ]);
    expect((await publish(url, '['.repeat(1_000_000))).status).toBe(400);
    expect((await publish(url, nested(1_000_000))).status).toBe(200);
    const wide = `[${Array.from({ length: 1_000_000 }, () => '1').join(',')}]`;
    expect(JSON.parse((await publish(url, wide)).text)).toMatchObject({ code: 'payload_too_large' });
  });
});

describe('messages as NDJSON', () => {
  it('an NDJSON batch is published line by line, and gets a response line for each', async () => {
    const { url } = await startServer();
    await declare(url, 'news');
    const body = [
      '{"topic":"news","message":1.0}\r',
      '',
      ' \t\r',
      '{"topic":"news",',
      '"message":2}',
      '[{"topic":"news","message":3}]',
      '{"topic":"nowhere","message":4}',
      '{"topic":"news","message":5},{"topic":"news","message":6}',
      '{"topic": "news", "message": [7, "\u2028"]}',
    ].join('\n');
    const answer = await publish(url, body, lines);
    expect(verdicts(answer)).toEqual([
      'ok',
      'bad_request',
      'bad_request',
      'bad_request',
      'topic_not_found',
      'bad_request',
      'ok',
    ]);
    const kept = await stored(url, 'news');
    expect(kept).toContain('"message":1.0,');
    expect(kept).toContain('"message":[7,"\u2028"],');
    expect(kept.match(/"message":/g)).toHaveLength(2);
  });

  it.each(['', '\n', '\r\n\r\n'])('an NDJSON batch can be empty: %j', async (body) => {
    const { url } = await startServer();
    expect(await publish(url, body, lines)).toMatchObject({ status: 200, text: '' });
  });
});

describe('a batch of many messages', () => {
  it('many messages in one batch get the same results as one by one', async () => {
    const { url } = await startServer();
    await declare(url, 'news');
    const text = (value: unknown): string => JSON.stringify(value) ?? 'null';
    const element = fc.oneof(
      fc
        .record({ topic: fc.constantFrom('news', 'news/*', ''), message: fc.jsonValue({ maxDepth: 3 }) })
        .map(text),
      fc.record({ topic: fc.constant('news'), message: fc.jsonValue(), id: fc.string() }).map(text),
      fc
        .tuple(fc.jsonValue(), fc.jsonValue())
        .map(([a, b]) => `{"message":${text(a)},"topic":"news","message":${text(b)}}`),
      fc.jsonValue({ maxDepth: 2 }).map(text),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(element, { maxLength: 6 }), async (texts) => {
        const alone: string[] = [];
        const single = { accept: 'application/json' };
        for (const one of texts) {
          if (one.startsWith('[')) {
            alone.push('bad_request');
            continue;
          }
          const answer = JSON.parse((await publish(url, one, single)).text) as { code?: string };
          alone.push(answer.code ?? 'ok');
        }
        expect(verdicts(await publish(url, `[${texts.join(' ,\n')}]`))).toEqual(alone);
        expect(verdicts(await publish(url, texts.join('\r\n'), lines))).toEqual(alone);
      }),
      { numRuns: 60 },
    );
  });

  it('a batch is stored on disk before its response, and survives a restart', async () => {
    const data = await temporaryDirectory();
    const first = await startServer({ data });
    await declare(first.url, 'news');
    const messages = Array.from({ length: 1_000 }, (_, at) => ({ topic: 'news', message: at }));
    const results = resultsOf(await publish(first.url, messages));
    expect(results.map(({ offset }) => offset?.split('.')[1])).toEqual(
      messages.map((_, at) => String(at + 1)),
    );
    expect(results.every((one) => (one as { stored?: string }).stored === 'disk')).toBe(true);
    await first.server.stop();
    const { url } = await startServer({ data });
    const page = JSON.parse(await stored(url, 'news')) as { messages: { message: number }[] };
    expect(page.messages.map(({ message }) => message)).toEqual(messages.map(({ message }) => message));
  });

  it('a batch is refused as a whole while the server shuts down', async () => {
    const { url, server } = await startServer();
    await declare(url, 'news');
    const { socket, ended } = connectRaw(url);
    const body = '[{"topic":"news","message":1}]';
    socket.write(
      `POST /publish HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n[`,
    );
    await fetch(url, { headers: { connection: 'close' } });
    const stopped = server.stop();
    socket.write(body.slice(1));
    expect(await ended).toMatch(/^HTTP\/1\.1 503 [^]*"code":"draining"/);
    await stopped;
  });
});

describe('large bodies that arrive slowly', () => {
  it('large bodies that arrive slowly share one limit, and small publishes are accepted meanwhile', async () => {
    const bytes = 2 ** 20;
    const { url } = await startServer({ batchBytesMax: bytes, publishBytesMax: bytes });
    await declare(url, 'news');
    const large = { topic: 'news', message: 'a'.repeat(500_000) };
    expect((await publish(url, large)).status).toBe(200);
    const refusals: string[] = [];
    const over = new AbortController();
    onTestFinished(() => over.abort());
    const sockets = new Set<Socket>();
    const attack = async (): Promise<void> => {
      while (!over.signal.aborted) {
        const { socket, ended } = connectRaw(url);
        sockets.add(socket);
        const head = `POST /publish HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${bytes}\r\n\r\n`;
        // The whole body except its end.
        socket.write(`${head}[${' '.repeat(bytes - 2)}`);
        refusals.push(await ended);
        sockets.delete(socket);
      }
    };
    const attacks = Array.from({ length: 20 }, attack);
    await expect.poll(async () => (await publish(url, large)).status).toBe(429);
    expect((await publish(url, { topic: 'news', message: 1 })).status).toBe(200);
    expect(refusals.join()).toContain('"code":"limit_exceeded"');
    over.abort();
    for (const socket of sockets) socket.destroy();
    await Promise.all(attacks);
    await expect.poll(async () => (await publish(url, large)).status).toBe(200);
  });
});
