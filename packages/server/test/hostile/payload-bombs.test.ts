import { once } from 'node:events';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { soonMs, within } from '../../../../test/waits.ts';
import { connectClient, connectRaw, publish, startServer } from '../harness.ts';
import { declare, readPage } from '../http-tools.ts';
import { ProbedServer } from './probed-server.ts';
import { connectRawClient, RawWebSocket } from './wire.ts';

const mebibyte = 1_048_576;

const withMessage = (message: string): string => `{"topic":"news","message":${message}}`;

/** Repeats a text up to the size limit of a publish. */
function fill(begin: string, one: (at: number) => string, end: string): string {
  const room = mebibyte - withMessage(begin + end).length;
  const parts: string[] = [];
  let bytes = 0;
  for (let at = 0; ; at++) {
    const part = one(at);
    bytes += part.length;
    if (bytes > room) break;
    parts.push(part);
  }
  // The separator after the last element is removed.
  return begin + parts.join('').replace(/,$/, '') + end;
}

const deep = (open: string, close: string, levels: number): string =>
  `${open.repeat(levels)}1${close.repeat(levels)}`;

/** JSON texts of one mebibyte with the highest cost. */
const bombs: readonly (readonly [string, string])[] = [
  ['an array of half a million', fill('[', () => '0,', ']')],
  [
    'as many objects as it may have, then texts',
    fill('[', (at) => (at < 32_700 ? `{"${at}":0},` : `"${at}",`), ']'),
  ],
  [
    'nested as deep as it may be, as often as it may',
    fill('[', (at) => (at < 519 ? `${deep('[', ']', 63)},` : '0,'), ']'),
  ],
  ['an object of many members', fill('{', (at) => `"${at}":0,`, '}')],
  ['an object of one member many times', fill('{', () => '"a":0,', '}')],
  ['an object of members that are not identifiers', fill('{', (at) => `"${at} \\u0000":0,`, '}')],
  [
    'an object of integers in no order',
    fill('{', (at) => `"${(at * 2_654_435_761) % 4_294_967_291}":0,`, '}'),
  ],
  ['white space between all', fill('[', () => ' 0 ,', ']')],
  ['a number of a million digits', fill('', () => '9', '')],
  ['a fraction of a million digits', fill('0.', () => '9', '')],
  ['an exponent of a million digits', fill('1e', () => '9', '')],
  ['many numbers that are too large', fill('[', () => '1e400,', ']')],
  ['a text of escapes', fill('"', () => '\\u0041', '"')],
  ['a text of surrogates', fill('"', () => '\\ud83d\\ude00', '"')],
  ['a text of backslashes', fill('"', () => '\\\\', '"')],
];

/** Texts with more arrays and objects than a message can have. */
const crowds: readonly (readonly [string, string])[] = [
  ['empty arrays', fill('[', () => '[],', ']')],
  ['empty objects', fill('[', () => '{},', ']')],
  ['objects that have no member in common', fill('[', (at) => `{"${at}":0},`, ']')],
  ['arrays nested to the limit, again and again', fill('[', () => `${deep('[', ']', 63)},`, ']')],
  ['objects in objects, again and again', fill('[', () => `${deep('{"a":', '}', 63)},`, ']')],
];

/** Texts that are refused, but only after they were read to the end. */
const duds: readonly (readonly [string, string])[] = [
  ['arrays opened and never closed', '['.repeat(mebibyte - withMessage('').length)],
  ['objects opened and never closed', '{"a":'.repeat(200_000)],
  ['one level too deep, at the end', fill('[', () => '0,', `,${deep('[', ']', 64)}]`)],
  ['a text without an end', `"${'a'.repeat(mebibyte - 100)}`],
  ['a million zeros', '0'.repeat(mebibyte - 100)],
  ['spaces, and then nothing', ' '.repeat(mebibyte - 100)],
];

/**
 * The limit for one turn of the event loop, in milliseconds of processor time. Each turn is under 50, but
 * other programs that use the processor's caches can double it.
 */
const heldMsMax = 150;

describe('A9: payload bombs', () => {
  /** The bombs run one after the other, because all use the event loop of one server. */
  async function expectLittle(
    server: ProbedServer,
    cases: readonly (readonly [string, string])[],
    attack: (message: string) => Promise<unknown>,
  ): Promise<void> {
    for (const [what, message] of cases) {
      const held = await server.heldMs(() => attack(message), heldMsMax);
      expect([what, held < heldMsMax ? 'little' : held]).toEqual([what, 'little']);
    }
  }

  const limit = { timeout: 120_000 };

  async function start(): Promise<ProbedServer> {
    const server = await ProbedServer.fanfare(['--memory']);
    await declare(server.url, 'news');
    return server;
  }

  it('payload bombs are published completely and unchanged, in bounded time', limit, async () => {
    const server = await start();
    const { url } = server;
    // The first calls also compile the code.
    for (let at = 0; at < 3; at++) await publish(url, withMessage('[1,{"a":"b"}]'));
    await expectLittle(server, bombs, async (message) =>
      expect((await publish(url, withMessage(message))).status).toBe(200),
    );
    for (const [what, message] of bombs) {
      await publish(url, withMessage(message));
      const answer = await fetch(`${url}/topics/news/messages?from=last`);
      // White space outside of strings is removed; the strings of these bombs have none, except in names.
      const kept = message.startsWith('[ ') ? message.replaceAll(' ', '') : message;
      const isWhole = (await answer.text()).includes(`"message":${kept},`);
      expect([what, isWhole]).toEqual([what, true]);
    }
  });

  it('payload bombs over Socket.IO take no longer than over HTTP', limit, async () => {
    const server = await start();
    const client = await RawWebSocket.open(server.url);
    await connectRawClient(client);
    await expectLittle(server, bombs, async (message) => {
      await client.send(`420["publish",${withMessage(message)}]`);
      expect(await client.next()).toMatch(/^430\[\{"ok":/);
    });
  });

  it('payload bombs without a subscriber are refused in bounded time', limit, async () => {
    const server = await start();
    for (const type of ['application/json', 'application/x-ndjson'])
      await expectLittle(server, duds, async (message) => {
        const answer = await publish(server.url, withMessage(message), { 'content-type': type });
        expect(answer.text).toMatch(/"code":"(?:bad_request|payload_too_deep|payload_too_large)"/);
      });
    expect((await readPage(server.url, 'news')).messages).toEqual([]);
  });

  it('payloads with too many arrays and objects are refused before they are parsed', limit, async () => {
    const server = await start();
    const client = await RawWebSocket.open(server.url);
    await connectRawClient(client);
    await expectLittle(server, crowds, async (message) => {
      const text = withMessage(message);
      expect((await publish(server.url, text)).text).toContain('"code":"payload_too_large"');
      await client.send(`420["publish",${text}]`);
      expect(await client.next()).toContain('"code":"payload_too_large"');
    });
    expect((await readPage(server.url, 'news')).messages).toEqual([]);
  });

  it('many payload bombs at once delay no other client', limit, async () => {
    const server = await start();
    const some = [...bombs.slice(0, 3), ...crowds.slice(2, 4), ...duds.slice(0, 2)];
    const many = (message: string): readonly string[] =>
      Array.from({ length: 15 }, () => withMessage(message));
    await expectLittle(server, some, (message) => publish(server.url, `[${many(message).join(',')}]`));
    await expectLittle(server, some, (message) =>
      publish(server.url, many(message).join('\n'), { 'content-type': 'application/x-ndjson' }),
    );
  });

  it('numbers beyond the range of JavaScript are delivered character for character, and refused as values', async () => {
    const { url, server } = await startServer({ memory: true });
    await declare(url, 'news');
    const client = await RawWebSocket.open(url);
    await connectRawClient(client);
    const numbers = ['1e400', '-1e400', '1e-400', '-0', '1.0', '9007199254740993', '0.1e1', '1E+2'];
    for (const number of numbers) {
      expect((await publish(url, withMessage(number))).status).toBe(200);
      await client.send(`421["publish", ${withMessage(number)}]`);
      expect(await client.next()).toMatch(/^431\[\{"ok":true/);
    }
    const text = await (await fetch(`${url}/topics/news/messages`)).text();
    expect([...text.matchAll(/"message":([^,]+),/g)].map(([, number]) => number)).toEqual(
      numbers.flatMap((number) => [number, number]),
    );
    for (const value of [Infinity, NaN, { a: [1, -Infinity] }])
      await expect(server.publish('news', value)).rejects.toMatchObject({ code: 'bad_request' });
  });

  it('payload bombs are also refused in an array, in lines and in an event', async () => {
    const { url } = await startServer({ memory: true });
    await declare(url, 'news');
    const client = await connectClient(url);
    const tooDeep = deep('[', ']', 65);
    const good = withMessage('1');
    const bad = withMessage(tooDeep);
    const expected = [{ ok: true }, { ok: false, error: { code: 'payload_too_deep' } }, { ok: true }];
    expect(JSON.parse((await publish(url, `[${good},${bad},${good}]`)).text)).toMatchObject(expected);
    const lines = await publish(url, [good, bad, good].join('\n'), {
      'content-type': 'application/x-ndjson',
    });
    expect(
      lines.text
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as unknown),
    ).toMatchObject(expected);
    expect(await client.emitWithAck('publish', JSON.parse(bad))).toMatchObject({
      ok: false,
      error: { code: 'payload_too_deep' },
    });
  });

  const content = Buffer.from(withMessage(JSON.stringify('a'.repeat(10_000_000))));

  it.each([
    ['gzip', gzipSync(content)],
    ['x-gzip', gzipSync(content)],
    ['deflate', deflateSync(content)],
    ['br', brotliCompressSync(content)],
    ['zstd', Buffer.from([0x28, 0xb5, 0x2f, 0xfd])],
    ['gzip, gzip', gzipSync(gzipSync(content))],
    ['identity, gzip', gzipSync(content)],
    ['GZIP', gzipSync(content)],
    ['__proto__', Buffer.from(withMessage('1'))],
  ])('compressed bodies are refused without reading them: %s', async (encoding, body) => {
    const { url } = await startServer({ memory: true });
    await declare(url, 'news');
    for (const type of ['application/json', 'application/x-ndjson']) {
      const answer = await publish(url, body, { 'content-encoding': encoding, 'content-type': type });
      expect(JSON.parse(answer.text)).toMatchObject({ code: 'bad_request', status: 415 });
    }
    expect((await readPage(url, 'news')).messages).toEqual([]);
  });

  it.each([
    ['a chunk extension without an end', (size: string) => `1;${'a'.repeat(size.length * 50_000)}`],
    ['trailers without an end', () => `0\r\n${'X: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n'.repeat(5_000)}`],
    ['a chunk longer than there are numbers', () => 'fffffffffffffffff\r\n'],
    ['a chunk of a negative length', () => '-1\r\n'],
    ['chunks of one byte without an end', () => '1\r\n1\r\n'.repeat(400_000)],
  ])('endless chunked bodies are cut: %s', async (_what, chunks) => {
    const { url } = await startServer({ memory: true, requestTimeoutMs: 2_000, publishBytesMax: 100_000 });
    const { socket, ended } = connectRaw(url);
    await within(soonMs, 'the client connects', once(socket, 'connect'));
    socket.write(
      'POST /publish HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n',
    );
    socket.write(chunks('1'));
    expect(await ended).toMatch(/^(?:HTTP\/1\.1 4(?:00|08|13|31) |$)/);
    expect((await publish(url, { topic: 'news', message: 1 })).status).toBe(404);
  });
});
