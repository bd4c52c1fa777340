import { createServer } from 'node:http';
import { connect, type Socket } from 'node:net';
import { attach } from '@fanfare/server';
import { describe, expect, it, onTestFinished } from 'vitest';
import { nextEvent } from '../../../../test/waits.ts';
import { secret } from '../access/tokens.ts';
import { connectClient, startServer } from '../harness.ts';
import { heapBytes } from '../heap.ts';
import { request } from './inputs/http.ts';
import { handshake, openSession, sidIn } from './inputs/sockets.ts';
import { masterToken } from './inputs/tokens.ts';
import { text as textFrame } from './deaf-clients.ts';
import { ProbedServer } from './probed-server.ts';
import { converse } from './virtual-connection.ts';
import { connectRawClient, RawPolling, RawWebSocket, rawTransports, separator } from './wire.ts';

describe.each(rawTransports)(
  'A10: a client that connects many times over one %s connection',
  (_name, open) => {
    it.each([
      ['without a token', {}, ''],
      ['with one', { key: secret }, JSON.stringify({ token: masterToken })],
    ])('a client that sends several logins at once is disconnected, %s', async (_what, options, auth) => {
      const { url } = await startServer({ loginTimeoutMs: 600_000, ...options });
      const client = await open(url);
      // All at once: Socket.IO itself ends a connection that logs in again after its login.
      await client.send(`40${auth}`, `40${auth}`, `40${auth}`).catch(() => {});
      await expect(client.ended()).resolves.toBeUndefined();
    });

    it('a client can log in after it tried other namespaces, and again after it has left', async () => {
      const { url } = await startServer();
      const client = await open(url);
      await client.send('40/one,', '40/two,');
      expect([await client.next(), await client.next()].join()).toContain('Invalid namespace');
      for (let at = 0; at < 3; at++) {
        await connectRawClient(client);
        await client.send('41');
        await fetch(url, { headers: { connection: 'close' } }).then(async (response) => response.text());
      }
    });

    it('a client can log in with a second token after the first was refused', async () => {
      const { url } = await startServer({ key: secret });
      const client = await open(url);
      await client.send('40{"token":"x"}');
      expect(await client.next()).toContain('not_authenticated');
      await connectRawClient(client, JSON.stringify({ token: masterToken }));
    });
  },
);

describe('A10: polling sessions that are opened and fail', () => {
  it('polling sessions that are opened and fail leave nothing in memory', async () => {
    const http = createServer((_request, response) => response.writeHead(404).end());
    const fanfare = await attach(http, { memory: true });
    onTestFinished(() => fanfare.stop());
    const comeAndGo = async (times: number): Promise<void> => {
      for (let at = 0; at < times; at++) {
        const sid = sidIn((await converse(http, [openSession])).text) ?? 'none';
        const path = `/socket.io/?EIO=4&transport=polling&sid=${sid}`;
        expect((await converse(http, [request('POST', path, Buffer.from('no payload'))])).text).toContain(
          '200 OK',
        );
      }
    };
    await comeAndGo(1_000);
    const before = heapBytes();
    await comeAndGo(3_000);
    expect(heapBytes() - before).toBeLessThan(2_000_000);
  });
});

/** A connection that sends some bytes, and then one more byte at each call. */
interface Dripping {
  readonly socket: Socket;
  readonly closed: Promise<unknown>;
  drip(): void;
}

function connectDripping(url: string, begin: string | Buffer, rest: string | Buffer = ''): Dripping {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  onTestFinished(() => void socket.destroy());
  socket.on('error', () => undefined);
  socket.resume().write(begin);
  const closed = nextEvent(socket, 'close', 'the server closes the connection');
  const bytes = Buffer.from(rest);
  let at = 0;
  return {
    socket,
    closed,
    drip: () => {
      if (at < bytes.length && !socket.destroyed) socket.write(bytes.subarray(at, ++at));
    },
  };
}

const firstFragment = Buffer.from([0x01, 0x81, 0, 0, 0, 0, 0x34]);
const emptyPing = Buffer.from([0x89, 0x80, 0, 0, 0, 0]);
const oneByteFragment = Buffer.from([0x00, 0x81, 0, 0, 0, 0, 0x30]);

/** The ways in which a client can stay connected without a login. */
const beginnings: readonly ((url: string) => Dripping)[] = [
  // An idle connection.
  (url) => connectDripping(url, ''),
  // A request head that comes byte by byte.
  (url) => connectDripping(url, 'GET / HTTP/1.1\r\nHost: localhost\r\nX: ', 'a'.repeat(10_000)),
  // A request body that comes byte by byte.
  (url) =>
    connectDripping(
      url,
      'POST /publish HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 9999\r\n\r\n',
      ' '.repeat(9_999),
    ),
  // A websocket that never logs in.
  (url) => connectDripping(url, handshake),
  // A websocket that sends a message in fragments of one byte.
  (url) =>
    connectDripping(
      url,
      Buffer.concat([handshake, firstFragment]),
      Buffer.concat(Array.from({ length: 1_000 }, () => oneByteFragment)),
    ),
  // A websocket that announces a large frame.
  (url) =>
    connectDripping(
      url,
      Buffer.concat([handshake, Buffer.from([0x81, 0xff, 0, 0, 0, 0, 0, 0x10, 0, 0, 0, 0, 0, 0])]),
      'a'.repeat(10_000),
    ),
  // A polling session that never logs in.
  (url) => connectDripping(url, openSession),
];

describe('A10: a websocket before login', () => {
  it.each([
    ['fragments', Buffer.concat([firstFragment, ...Array<Buffer>(64).fill(oneByteFragment)])],
    ['pings', Buffer.concat(Array<Buffer>(65).fill(emptyPing))],
  ])('a websocket before login is closed when it sends more than 64 frames: %s', async (_what, frames) => {
    const { url } = await startServer({ loginTimeoutMs: 600_000 });
    await connectDripping(url, Buffer.concat([handshake, frames])).closed;
    const client = connectDripping(url, handshake);
    client.socket.write(frames);
    await client.closed;
    expect(client.socket.destroyed).toBe(true);
  });

  it('a websocket can log in with 60 fragments, and send more than 64 frames afterwards', async () => {
    const { url } = await startServer();
    const space = Buffer.from([0x00, 0x81, 0, 0, 0, 0, 0x20]);
    const login = [...'40{'].map((character, at) =>
      Buffer.from([at === 0 ? 1 : 0, 0x81, 0, 0, 0, 0, character.charCodeAt(0)]),
    );
    const end = Buffer.from([0x80, 0x81, 0, 0, 0, 0, '}'.charCodeAt(0)]);
    const { socket } = connectDripping(url, handshake);
    let answers = '';
    socket.setEncoding('latin1').on('data', (piece: string) => (answers += piece));
    await expect.poll(() => answers).toContain('maxPayload');
    socket.write(Buffer.concat([...login, ...Array<Buffer>(56).fill(space), end]));
    await expect.poll(() => answers).toContain('40{');
    const subscribe = (at: number): Buffer => textFrame(`42${at}["subscribe",{"topic":"news"}]`);
    socket.write(Buffer.concat(Array.from({ length: 100 }, (_, at) => subscribe(at))));
    await expect.poll(() => answers).toContain('4399[');
  });

  it('a websocket before login is closed when it sends more than 16 packets', async () => {
    const { url } = await startServer({ loginTimeoutMs: 600_000, key: secret });
    const client = await RawWebSocket.open(url);
    await client.send(...Array<string>(17).fill('40/other,')).catch(() => {});
    await expect(client.ended()).resolves.toBeUndefined();
  });
});

describe('A10: a polling session before login', () => {
  it('a polling session before login is closed when it sends more than 16 packets', async () => {
    const { url } = await startServer({ loginTimeoutMs: 600_000, key: secret });
    const client = await RawPolling.open(url);
    await client.post(Array<string>(17).fill('40').join(separator)).catch(() => {});
    await expect(client.ended()).resolves.toBeUndefined();
  });
});

describe('A10: a thousand hostile connections before login', () => {
  it('a thousand hostile connections before login use little memory, delay no login, and are closed in time', async () => {
    const server = await ProbedServer.fanfare(
      '--memory --login-timeout-ms 1000 --request-timeout-ms 1000'.split(' '),
    );
    const { url } = server;
    const login = async (): Promise<number> => {
      const begun = performance.now();
      const client = await connectClient(url);
      expect(await client.emitWithAck('subscribe', { topic: 'news' })).toMatchObject({ ok: true });
      client.close();
      return performance.now() - begun;
    };
    await login();
    const before = await server.ask();
    const attackers: Dripping[] = [];
    const loginMs: number[] = [];
    for (let at = 0; at < 1_000; at++) {
      const begin = beginnings[at % beginnings.length];
      if (begin) attackers.push(begin(url));
      if (at % 200 === 199) {
        for (const each of attackers) each.drip();
        loginMs.push(await login());
      }
    }
    const during = await server.ask();
    // On a busy machine one login may also wait for other programs.
    expect(Math.min(...loginMs)).toBeLessThan(500);
    expect((during?.heapBytes ?? 0) - (before?.heapBytes ?? 0)).toBeLessThan(40 * 2 ** 20);
    expect((during?.rssBytes ?? 0) - (before?.rssBytes ?? 0)).toBeLessThan(150 * 2 ** 20);
    const dripping = setInterval(() => attackers.forEach((each) => each.drip()), 20);
    onTestFinished(() => {
      clearInterval(dripping);
    });
    const begun = performance.now();
    await Promise.all(attackers.map(async ({ closed }) => closed));
    // One second for each deadline, one until Node checks it, and some for a busy machine.
    expect(performance.now() - begun).toBeLessThan(15_000);
    const after = await server.ask();
    expect((after?.heapBytes ?? 0) - (before?.heapBytes ?? 0)).toBeLessThan(4 * 2 ** 20);
    expect(after?.heldMaxMs).toBeLessThan(200);
    expect(await login()).toBeGreaterThan(0);
    expect([server.isGone, server.failures]).toEqual([false, []]);
  });
});
