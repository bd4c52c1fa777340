import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { Server, type Socket } from 'socket.io';
import { describe, expect, it, onTestFinished } from 'vitest';
import { connect } from '@fanfare/client';
import { soonMs, startListening, within } from '../../../test/waits.ts';
import { becomes, client, startServer, take } from './harness.ts';

describe('the connection', () => {
  it.each([
    ['refused', (socket: Duplex) => socket.destroy()],
    ['swallowed', () => {}],
  ])('the SDK falls back to polling where websockets are %s', async (_how, onUpgrade) => {
    const target = await startServer({ memory: true });
    const proxy = createServer((request, response) => {
      void fetch(`${target.url}${request.url}`, {
        method: request.method ?? 'GET',
        headers: { 'content-type': request.headers['content-type'] ?? 'text/plain' },
        ...(request.method === 'POST' && { body: request, duplex: 'half' }),
      }).then(
        async (answer) => {
          response.writeHead(answer.status).end(await answer.text());
        },
        () => response.destroy(),
      );
    });
    proxy.on('upgrade', (_request, socket) => onUpgrade(socket));
    await startListening(proxy);
    onTestFinished(() => {
      proxy.closeAllConnections();
      proxy.close();
    });
    const fanfare = client(`http://127.0.0.1:${(proxy.address() as AddressInfo).port}`);
    const subscription = fanfare.subscribe('news');
    await becomes(fanfare, 'live');
    await subscription.ready;
    await fanfare.publish('news', 'by polling');
    expect(await take(subscription[Symbol.asyncIterator](), 1)).toEqual(['by polling']);
  });

  it.each(['websocket', 'polling'] as const)(
    'a connection that is refused for its origin over %s has the code and the sentence in its status, until it is let in',
    async (transport) => {
      const origin = 'https://app.example';
      const { server, url } = await startServer({ memory: true });
      const options = { extraHeaders: { origin }, transports: [transport] };
      const fanfare = connect(url, options);
      onTestFinished(() => fanfare.close());
      await expect
        .poll(() => fanfare.status)
        .toMatchObject({
          state: 'connecting',
          error: { code: 'not_authorized', message: expect.stringContaining('setting `origins`') as string },
        });
      await server.stop();
      await startServer({ memory: true, origins: origin, port: Number(new URL(url).port) });
      await becomes(fanfare, 'live');
      expect(fanfare.status.error).toBeUndefined();
    },
  );

  it('the SDK works with a server that speaks the lab contract alone', async () => {
    const { io, url } = await socketServer();
    io.on('connection', (socket) => {
      socket.on('subscribe', ({ topic }: { topic: string }) => {
        socket.emit(topic, { message: 'hello' });
        socket.emit(topic, 'no object');
      });
    });
    const gaps: unknown[] = [];
    const fanfare = client(url);
    const iterator = fanfare.subscribe('news', { onGap: (gap) => gaps.push(gap) })[Symbol.asyncIterator]();
    expect(await take(iterator, 2)).toEqual(['hello', 'no object']);
    io.disconnectSockets();
    expect(await take(iterator, 2)).toEqual(['hello', 'no object']);
    expect(gaps).toEqual([{ topic: 'news', reason: 'resume' }]);
  });

  it('the SDK says that a text is not a URL', () => {
    expect(() => connect('localhost:5000')).toThrow("'localhost:5000' is not the URL of a server");
    expect(() => connect('nonsense')).toThrow(TypeError);
  });
});

describe('a token', () => {
  it('the SDK fetches a new token for every connection, and before the old one ends', async () => {
    const { io, url } = await socketServer();
    const seen: unknown[] = [];
    io.use((socket, next) => {
      seen.push(['connect', nameOf(socket.handshake.auth['token'])]);
      next();
    });
    const renewal = new Promise<Socket>((resolve) => {
      io.on('connection', (socket) => {
        socket.on('token', ({ token }: { token: string }, ack: (answer: object) => void) => {
          seen.push(['renew', nameOf(token)]);
          ack({ ok: true });
          resolve(socket);
        });
      });
    });
    const renewed = within(soonMs, 'the client renews its token', renewal, () => seen);
    let fetches = 0;
    // The first ends soon: it is renewed after a fifth of a second or so. The others do not.
    const token = (): string => tokenNamed(++fetches, fetches === 1 ? 2 : 3_600);
    const fanfare = client(url, { token });
    const socket = await renewed;
    socket.disconnect(true);
    await becomes(fanfare, 'lost');
    await becomes(fanfare, 'live');
    expect(seen).toEqual([
      ['connect', 1],
      ['renew', 2],
      ['connect', 3],
    ]);
  });

  it('a refused token ends the client with the reason, or is fetched anew', async () => {
    const { io, url } = await socketServer();
    io.use((socket, next) => {
      const data = { code: 'not_authenticated', detail: 'The token is not valid.', retryable: false };
      next(socket.handshake.auth['token'] === 'good' ? undefined : Object.assign(new Error('no'), { data }));
    });
    const hopeless = client(url, { token: 'bad' });
    const subscription = hopeless.subscribe('news');
    const publishing = hopeless.publish('news', 1);
    await expect(publishing).rejects.toMatchObject({ code: 'not_authenticated' });
    await expect(subscription.ready).rejects.toThrow('The token is not valid.');
    expect(hopeless.status).toMatchObject({ state: 'closed', error: { code: 'not_authenticated' } });

    let fetches = 0;
    const stubborn = client(url, {
      token: async () => {
        fetches++;
        if (fetches === 1) throw new Error('the app has no token now');
        return Promise.resolve(fetches === 2 ? 'bad' : 'good');
      },
    });
    const told: (string | undefined)[] = [];
    stubborn.onStatus(({ error }) => told.push(error?.message));
    await becomes(stubborn, 'live');
    expect(told).toEqual(['the app has no token now', 'The token is not valid.', undefined]);
  });
});

/** A plain Socket.IO server: what Fanfare's does is told here by hand. */
async function socketServer(): Promise<{ io: Server; url: string }> {
  const http = createServer();
  const io = new Server(http);
  await startListening(http);
  onTestFinished(async () => io.close());
  return { io, url: `http://127.0.0.1:${(http.address() as AddressInfo).port}` };
}

/** A JWT as far as a client looks into it. */
function tokenNamed(sub: number, seconds: number): string {
  const claims = { sub, exp: Math.floor(Date.now() / 1_000) + seconds };
  return `e30.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.signature`;
}

function nameOf(token: unknown): unknown {
  const [, claims = ''] = String(token).split('.');
  return (JSON.parse(Buffer.from(claims, 'base64url').toString()) as { sub: unknown }).sub;
}
