import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { connect } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { nextEvent, soonMs, startListening, within } from '../../../test/waits.ts';
import { HeadScanner } from '../src/http/head-scanner.ts';
import { readRequestsInTurns } from '../src/http/request-reader.ts';
import { tryNode } from '../src/insides/node-inside.ts';
import { InsideLog } from './insides/broken.ts';

/** Encrypts without certificates, so that the tests need none. */
const ciphers = 'AECDH-AES256-SHA@SECLEVEL=0';

/** Responds with the request that it got. */
const echo: RequestListener = (request, response) => {
  response.sendDate = false;
  let body = '';
  request
    .setEncoding('latin1')
    .on('data', (piece: string) => (body += piece))
    .on('end', () => response.end(`${request.method} ${request.url} ${body}\n`));
};

async function listen(server: Server, isRead = true): Promise<number> {
  if (isRead) readRequestsInTurns(server, await tryNode(new InsideLog()));
  await startListening(server);
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

function open(port: number, isTls: boolean): Socket {
  const address = { port, host: '127.0.0.1' };
  const socket = isTls ? connectTls({ ...address, ciphers, rejectUnauthorized: false }) : connect(address);
  onTestFinished(() => void socket.destroy());
  return socket.on('error', () => {});
}

/** Sends text in pieces, and returns everything that comes until the server ends the connection. */
async function converse(socket: Socket, text: string, sizes: readonly number[]): Promise<string> {
  let answers = '';
  socket.setEncoding('latin1').on('data', (piece: string) => (answers += piece));
  const closed = nextEvent(socket, 'close', 'the server ends the connection', 60_000);
  for (let at = 0, piece = 0; at < text.length; piece++) {
    const size = sizes[piece % sizes.length] ?? text.length;
    socket.write(text.slice(at, at + size), 'latin1');
    at += size;
    // Most pieces then arrive in separate reads.
    if (piece < 100) await nextTurn();
  }
  await closed;
  return answers;
}

const host = 'Host: localhost\r\n';

/** A body can look like the end of a head. */
const anyBody = fc
  .array(
    fc.constantFrom('\r\n\r\n', '\n', 'a', '0', 'GET / HTTP/1.1\r\nHost: b\r\n\r\n', 'x'.repeat(5_000)),
    { maxLength: 30 },
  )
  .map((parts) => parts.join(''));

const anyRequest = fc.oneof(
  fc.constantFrom('GET', 'HEAD', 'DELETE').map((method) => `${method} /a HTTP/1.1\r\n${host}\r\n`),
  anyBody.map((body) => `POST /b HTTP/1.1\r\n${host}Content-Length: ${body.length}\r\n\r\n${body}`),
  anyBody.map(
    (body) =>
      `POST /e HTTP/1.1\r\n${host}Expect: 100-continue\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  ),
  fc.array(anyBody, { maxLength: 10 }).map((bodies) => {
    const chunks = bodies
      .filter(({ length }) => length > 0)
      .map((body) => `${body.length.toString(16)}\r\n${body}\r\n`);
    return `PUT /c HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n${chunks.join('')}0\r\n\r\n`;
  }),
);

const last = `GET /last HTTP/1.1\r\n${host}Connection: close\r\n\r\n`;

describe('pipelined requests', () => {
  it.each([
    ['HTTP', false],
    ['TLS', true],
  ])(
    'pipelined requests get the same responses as from Node alone, whatever is sent: %s',
    async (_name, isTls) => {
      const make = (): Server => (isTls ? createTlsServer({ ciphers }, echo) : createServer(echo));
      const [ours, bare] = [await listen(make()), await listen(make(), false)];
      const anySizes = fc.array(fc.oneof(fc.integer({ min: 1, max: 60 }), fc.constant(100_000)), {
        minLength: 1,
        maxLength: 20,
      });
      await fc.assert(
        fc.asyncProperty(fc.array(anyRequest, { maxLength: 60 }), anySizes, async (requests, sizes) => {
          const text = requests.join('') + last;
          const [found, expected] = await Promise.all(
            [ours, bare].map(async (port) => converse(open(port, isTls), text, sizes)),
          );
          expect(found).toBe(expected);
        }),
        { numRuns: isTls ? 20 : 60 },
      );
    },
  );

  it('thousands of pipelined requests get their responses in order', async () => {
    const port = await listen(createServer(echo));
    const paths = Array.from({ length: 5_000 }, (_, at) => `/${at}`);
    const text = paths.map((path) => `GET ${path} HTTP/1.1\r\n${host}\r\n`).join('');
    const answers = await converse(open(port, false), text + last, [100_000]);
    expect([...answers.matchAll(/^GET (\S+)/gm)].map(([, path]) => path)).toEqual([...paths, '/last']);
  });

  it('pipelined requests all get their responses when the client reads late', async () => {
    const large = 'x'.repeat(20_000);
    const port = await listen(
      createServer((_request, response) => void setImmediate(() => response.end(large))),
    );
    const socket = open(port, false).pause();
    const requests = `GET / HTTP/1.1\r\n${host}\r\n`.repeat(1_000);
    const written = new Promise<void>((resolve) => void socket.write(requests, () => resolve()));
    await within(soonMs, 'the requests are written', written);
    for (let turn = 0; turn < 500; turn++) await nextTurn();
    let bytes = 0;
    socket.on('data', ({ length }: Buffer) => (bytes += length)).resume();
    await expect.poll(() => bytes).toBeGreaterThan(1_000 * large.length);
  });

  it('pipelined requests all get their responses after the client half-closes the connection, where the app allows that', async () => {
    const server = createServer(echo);
    Object.assign(server, { httpAllowHalfOpen: true });
    const socket = open(await listen(server), false);
    let answers = '';
    socket.setEncoding('latin1').on('data', (piece: string) => (answers += piece));
    socket.end(`GET /a HTTP/1.1\r\n${host}\r\n`.repeat(500));
    await nextEvent(socket, 'close', 'the server closes the connection once all is answered');
    expect(answers.split('GET /a').length - 1).toBe(500);
  });

  it('the bytes after an upgrade request all go to the upgrade listener', async () => {
    const server = createServer(echo);
    const heads: string[] = [];
    server.on('upgrade', (_request, socket: Socket, head: Buffer) => {
      let come = head.toString('latin1');
      const tell = (): void => {
        if (!come.endsWith('end')) return;
        heads.push(come);
        socket.end();
      };
      socket.on('data', (piece: Buffer) => {
        come += piece.toString('latin1');
        tell();
      });
      setImmediate(tell);
    });
    const port = await listen(server);
    const offer = `GET /u HTTP/1.1\r\n${host}Connection: Upgrade\r\nUpgrade: foo\r\n\r\n`;
    const before = `GET /a HTTP/1.1\r\n${host}\r\n`.repeat(60);
    const behind = `${'GET / HTTP/1.1\r\n\r\n'.repeat(3_000)}end`;
    for (const size of [100_000, 1_000, before.length + offer.length - 1, before.length + offer.length - 30])
      await converse(open(port, false), before + offer + behind, [size, 100_000]);
    expect(heads).toEqual(Array<string>(4).fill(behind));
  });

  it('pipelined requests are limited on a connection that existed before, which is closed when it exceeds the limit', async () => {
    const waiting: unknown[] = [];
    const server = createServer((_request, response) => void waiting.push(response));
    const port = await listen(server, false);
    const socket = open(port, false);
    await nextEvent(socket, 'connect', 'the client connects');
    await expect
      .poll(() => new Promise((resolve) => void server.getConnections((_e, count) => resolve(count))))
      .toBe(1);
    readRequestsInTurns(server, await tryNode(new InsideLog()));
    await converse(socket, `GET / HTTP/1.1\r\n${host}\r\n`.repeat(1_500), [100_000]);
    expect(waiting.length).toBeLessThanOrEqual(110);
  });

  it('a connection holds at most 102 unanswered pipelined requests, and all of them get their responses later', async () => {
    const waiting: { end(): void }[] = [];
    const port = await listen(createServer((_request, response) => void waiting.push(response)));
    const socket = open(port, false);
    let answers = 0;
    socket.on('data', (piece: Buffer) => (answers += piece.toString().split('HTTP/1.1 200').length - 1));
    socket.write(`GET / HTTP/1.1\r\n${host}\r\n`.repeat(500));
    await expect.poll(() => waiting.length).toBe(102);
    for (let turn = 0; turn < 50; turn++) await nextTurn();
    expect(waiting.length).toBe(102);
    for (let at = 0; at < 500; at++) {
      await expect.poll(() => waiting.length).toBeGreaterThan(at);
      waiting[at]?.end();
    }
    await expect.poll(() => answers).toBe(500);
  });
});

it('the ends of request heads are found however the bytes arrive', () => {
  const anyHead = fc.oneof(
    fc.constant('GET / HTTP/1.1\r\nHost: a\r\n\r\n'),
    fc.constant(`GET / HTTP/1.1\r\nHost: a\r\nX: ${'y'.repeat(3_000)}\r\n\r\n`),
    fc.constant('\r\nGET / HTTP/1.1\r\nHost: a\r\nuPgrade: b\r\n\r\n'),
  );
  fc.assert(
    fc.property(
      fc.array(anyHead),
      fc.array(fc.integer({ min: 1, max: 4_000 }), { minLength: 1 }),
      (heads, sizes) => {
        const scanner = new HeadScanner();
        const bytes = Buffer.from(heads.join(''));
        const ends: number[] = [];
        for (let at = 0, piece = 0; at < bytes.length; piece++) {
          const pieceEnd = Math.min(bytes.length, at + (sizes[piece % sizes.length] ?? 1));
          while (at < pieceEnd) {
            const portion = scanner.next(bytes.subarray(at, pieceEnd));
            scanner.advance(portion);
            at += portion.bytes - (portion.bytesAfterHead ?? 0);
            if (portion.bytesAfterHead === undefined) continue;
            const isOffer = heads[ends.length]?.includes('uPgrade') === true;
            if (at < pieceEnd && portion.bytesAfterHead === 0) expect(portion.offersUpgrade).toBe(isOffer);
            ends.push(at);
          }
        }
        let end = 0;
        expect(ends).toEqual(heads.map((head) => (end += head.length)));
      },
    ),
  );
});
