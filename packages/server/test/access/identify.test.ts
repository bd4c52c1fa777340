import { createServer as createHttpServer, type IncomingMessage, type Server as HttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { attach, createServer, type AttachOptions, type Fanfare, type Identified } from '@fanfare/server';
import { Server as SocketServer } from 'socket.io';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startListening, nextEvent } from '../../../../test/waits.ts';
import { becomes, client as sdk, take } from '../../../client/test/harness.ts';
import { launchBrowser } from '../browser.ts';
import { connectClient, publish, startServer, strictLogger } from '../harness.ts';
import { bearer, secret } from './tokens.ts';

/** The identities of an app, by the value of the cookie `session`. */
const people: Readonly<Record<string, Identified>> = {
  s1: { sub: 'ann', publish: ['orders/*'], subscribe: ['orders/*'] },
  s2: { sub: 'root', publish: [], subscribe: [], admin: true },
};

function sessionOf({ headers: { cookie = '' } }: IncomingMessage): Identified | null {
  const [, session = ''] = /session=(\w+)/.exec(cookie) ?? [];
  return people[session] ?? null;
}

const as = (session: string): { cookie: string } => ({ cookie: `session=${session}` });

/** An app with Socket.IO and Fanfare. The app identifies its clients. */
async function appWith(
  options: AttachOptions,
  prepare: (io: SocketServer) => void = () => {},
): Promise<{ url: string; io: SocketServer; http: HttpServer; fanfare: Fanfare }> {
  const http = createHttpServer();
  const io = new SocketServer(http);
  prepare(io);
  const fanfare = await attach(http, { io, http: 'all', logger: strictLogger, ...options });
  await startListening(http);
  onTestFinished(async () => {
    await fanfare.stop();
    await io.close();
  });
  return { url: `http://localhost:${(http.address() as AddressInfo).port}`, io, http, fanfare };
}

const get = async (url: string, headers: Record<string, string>): Promise<[number, unknown]> => {
  const answer = await fetch(url, { headers: { connection: 'close', ...headers } });
  return [answer.status, await answer.json()];
};

describe('the option `identify`', () => {
  it("`identify` replaces the token over HTTP, in streams and for connections: the app's cookie decides", async () => {
    const { url } = await startServer({ identify: sessionOf });
    expect(await get(`${url}/identity`, as('s1'))).toEqual([
      200,
      { open: false, subject: 'ann', admin: false, publish: ['orders/*'], subscribe: ['orders/*'] },
    ]);
    const client = await connectClient(url, 'websocket', { extraHeaders: as('s1') });
    expect(await client.emitWithAck('subscribe', { topic: 'orders/7' })).toMatchObject({ ok: true });
    expect(await client.emitWithAck('subscribe', { topic: 'secret' })).toMatchObject({
      error: { code: 'not_authorized' },
    });
    const stream = await fetch(`${url}/topics/orders%2F7/messages`, {
      headers: { accept: 'text/event-stream', ...as('s1') },
    });
    expect(stream.status).toBe(200);
    await stream.body?.cancel();
    expect((await publish(url, { topic: 'orders/7', message: 1 }, as('s1'))).status).toBe(200);
    expect((await publish(url, { topic: 'other', message: 1 }, as('s1'))).status).toBe(403);
    expect(await get(`${url}/stats`, as('s1'))).toMatchObject([403, { code: 'not_authorized' }]);
    expect((await get(`${url}/stats`, as('s2')))[0]).toBe(200);
  });

  it('clients for whom `identify` returns null are refused, even with a token', async () => {
    const { url } = await startServer({ identify: sessionOf });
    const token = await bearer({ admin: true });
    for (const headers of [{}, as('nobody'), token]) {
      const answer = [401, { code: 'not_authenticated', detail: 'You are not signed in.' }];
      expect(await get(`${url}/topics`, headers)).toMatchObject(answer);
      const accept = { accept: 'text/event-stream' };
      expect(await get(`${url}/topics/orders/messages`, { ...headers, ...accept })).toMatchObject(answer);
      expect((await publish(url, { topic: 'orders/7', message: 1 }, headers)).status).toBe(401);
      await expect(connectClient(url, 'websocket', { extraHeaders: headers })).rejects.toMatchObject({
        data: answer[1],
      });
    }
  });

  it("`identify` sees what the app's `io.use` has set, and the client's `auth`", async () => {
    const seen: unknown[] = [];
    const { url } = await appWith(
      {
        identify: async (request, auth) => {
          seen.push(auth);
          const { user } = request as { user?: string };
          return Promise.resolve(user === undefined ? null : { sub: user, publish: [], subscribe: ['**'] });
        },
      },
      (io) =>
        io.use((socket, next) => {
          Object.assign(socket.request, { user: `user ${socket.handshake.auth['id']}` });
          next();
        }),
    );
    const client = await connectClient(url, 'websocket', { auth: { id: 7 } });
    expect(await client.emitWithAck('subscribe', { topic: 'news' })).toMatchObject({ ok: true });
    expect(await client.emitWithAck('publish', { topic: 'news', message: 1 })).toMatchObject({
      error: { code: 'not_authorized' },
    });
    expect(seen).toEqual([{ id: 7 }]);
  });

  it("the app's clients without an identity stay connected, and earlier connections get their identity", async () => {
    const http = createHttpServer();
    const io = new SocketServer(http);
    io.on('connection', (socket) => socket.on('chat', (ack: (text: string) => void) => ack('hello')));
    await startListening(http);
    const url = `http://localhost:${(http.address() as AddressInfo).port}`;
    const known = await connectClient(url, 'websocket', { extraHeaders: as('s1') });
    const unknown = await connectClient(url);
    const fanfare = await attach(http, { io, identify: sessionOf, logger: strictLogger });
    onTestFinished(async () => {
      await fanfare.stop();
      await io.close();
    });
    expect(await known.emitWithAck('subscribe', { topic: 'orders/7' })).toMatchObject({ ok: true });
    expect(await unknown.emitWithAck('subscribe', { topic: 'orders/7' })).toMatchObject({
      error: { code: 'not_authorized' },
    });
    for (const client of [known, unknown]) expect(await client.emitWithAck('chat')).toBe('hello');
  });

  it('`identify` can return guests that are connected without any rights', async () => {
    const guest: Identified = { sub: 'guest', publish: [], subscribe: [] };
    const { url } = await appWith({ identify: (request) => sessionOf(request) ?? guest });
    const client = await connectClient(url);
    expect(await client.emitWithAck('subscribe', { topic: 'orders/7' })).toMatchObject({
      error: { code: 'not_authorized' },
    });
  });

  it('a connection ends at the `exp` that `identify` returned, unless the event `token` renews it', async () => {
    const start = Math.floor(Date.now() / 1_000);
    const { url } = await startServer({
      identify: (_request, auth = {}) => {
        const { token } = auth;
        if (token === 'none') return null;
        const exp = token === 'for ever' ? undefined : token === 'over' ? start - 5 : start + 3;
        const sub = token === 'other' ? 'bob' : 'ann';
        return { sub, publish: ['a'], subscribe: ['a'], ...(exp !== undefined && { exp }) };
      },
    });
    await expect(connectClient(url, 'websocket', { auth: { token: 'over' } })).rejects.toMatchObject({
      data: { code: 'token_expired' },
    });
    const client = await connectClient(url);
    const ended = nextEvent(client, 'error', 'the server tells the client that its access has ended');
    const renew = async (token: string): Promise<unknown> => client.emitWithAck('token', { token });
    expect(await renew('none')).toMatchObject({ error: { code: 'not_authenticated' } });
    expect(await renew('other')).toMatchObject({ error: { code: 'not_authorized' } });
    expect(await renew('for ever')).toEqual({ ok: true });
    expect(await renew('over')).toMatchObject({ error: { code: 'token_expired' } });
    expect(await renew('later')).toEqual({ ok: true, exp: start + 3 });
    expect(await ended).toMatchObject({ code: 'token_expired' });
  });

  it('a revocation ends all connections of the subject, and `identify` decides whether the subject can return', async () => {
    const { url } = await startServer({ identify: sessionOf });
    const client = await connectClient(url, 'websocket', { extraHeaders: as('s1') });
    const ended = nextEvent(client, 'error', 'the server tells the client that its access was revoked');
    const headers = { ...as('s2'), connection: 'close' };
    const answer = await fetch(`${url}/revocations/ann`, { method: 'PUT', headers });
    expect(await answer.json()).toMatchObject({ subject: 'ann', ended: 1 });
    expect(await ended).toMatchObject({ code: 'not_authenticated' });
    const { time } = (await (await fetch(`${url}/stats`, { headers })).json()) as { time: number };
    await expect.poll(() => Date.now()).toBeGreaterThan(time);
    expect((await connectClient(url, 'websocket', { extraHeaders: as('s1') })).connected).toBe(true);
  });

  it.each<[string, unknown, RegExp]>([
    ['throws', new Error('the database is down'), /^the database is down$/],
    ['returns nothing', undefined, /must return an identity or null, not undefined/],
    ['returns an identity without a sub', { publish: [], subscribe: [] }, /It has no sub/],
    ['returns a number as sub', { sub: 7, publish: [], subscribe: [] }, /sub/],
    ['returns an invalid pattern', { sub: 'a', publish: ['$a'], subscribe: [] }, /fanfare\.publish/],
    ['never resolves', new Promise(() => {}), /did not answer within 1000 ms \(`loginTimeoutMs`\)/],
  ])(
    'if `identify` %s, the log has the reason and the client gets `internal`',
    async (_name, answer, reason) => {
      const logged: unknown[] = [];
      const error = ({ err }: { err: Error }): void => void logged.push(err.message);
      const { url } = await startServer({
        logger: { ...strictLogger, error },
        loginTimeoutMs: 1_000,
        identify: () => {
          if (answer instanceof Error) throw answer;
          return answer as never;
        },
      });
      expect(await get(`${url}/topics`, {})).toMatchObject([500, { code: 'internal' }]);
      expect(logged).toEqual([expect.stringMatching(reason)]);
    },
  );

  it("`identify` is not called for requests that pages of other origins send with a user's cookie", async () => {
    const asked: unknown[] = [];
    const { url } = await startServer({
      identify: (request) => {
        asked.push(request.url);
        return sessionOf(request);
      },
    });
    for (const page of [{ origin: 'http://evil.example' }, { 'sec-fetch-site': 'cross-site' }]) {
      const answer = [403, { detail: expect.stringContaining('Web pages of other origins') as string }];
      const headers = { ...as('s1'), ...page };
      expect(await get(`${url}/topics`, headers)).toMatchObject(answer);
      expect((await publish(url, { topic: 'orders/7', message: 1 }, headers)).status).toBe(403);
      await expect(connectClient(url, 'websocket', { extraHeaders: headers })).rejects.toThrow();
    }
    expect(asked).toEqual([]);
  });

  it('a server with `identify` accepts requests from other machines, under any host name', async () => {
    const http = createHttpServer();
    http.prependListener('connection', (socket) => {
      Object.defineProperty(socket, 'localAddress', { value: '192.0.2.1' });
    });
    const fanfare = await attach(http, { identify: sessionOf });
    await startListening(http);
    onTestFinished(async () => {
      await fanfare.stop();
      http.close();
    });
    const url = `http://localhost:${(http.address() as AddressInfo).port}`;
    const answer = await publish(
      url,
      { topic: 'orders/7', message: 1 },
      { host: 'app.example', ...as('s1') },
    );
    expect(answer.status).toBe(404);
    expect(() => createServer({ host: '0.0.0.0', identify: sessionOf })).not.toThrow();
    expect(() => createServer({ key: secret, identify: sessionOf })).toThrow(
      /`identify` cannot be combined with `key`/,
    );
  });

  it('the SDK works with a server that has `identify`', async () => {
    const { url } = await startServer({ identify: sessionOf });
    const fanfare = sdk(url, { extraHeaders: as('s1') });
    const subscription = fanfare.subscribe('orders/*');
    await subscription.ready;
    await fanfare.publish('orders/7', 'tea');
    expect(await take(subscription[Symbol.asyncIterator](), 1)).toEqual(['tea']);
    expect(await take(fanfare.history('orders/7')[Symbol.asyncIterator](), 1)).toEqual(['tea']);
    const stranger = sdk(url);
    expect(await becomes(stranger, 'closed')).toMatchObject({ error: { code: 'not_authenticated' } });
  });

  it('`identify` recognizes the user of a page of an allowed origin by the cookie, over polling and in history', async () => {
    const page = createHttpServer((_request, response) =>
      response.setHeader('content-type', 'text/html').end('<!doctype html><title>An app</title>'),
    );
    await startListening(page);
    onTestFinished(() => void page.close());
    const origin = `http://localhost:${(page.address() as AddressInfo).port}`;
    const { url } = await startServer({ identify: sessionOf, origins: origin });
    const browser = await launchBrowser();
    onTestFinished(() => browser.close());
    const context = await browser.newContext();
    await context.addCookies([{ name: 'session', value: 's1', url }]);
    const tab = await context.newPage();
    await tab.goto(origin);
    await tab.addScriptTag({ url: `${url}/fanfare.js` });
    // This is a text because the page runs it, not this program.
    const use = (withCredentials: boolean): string => `(async () => {
      const fanfare = Fanfare.connect('${url}', { withCredentials: ${withCredentials}, transports: ['polling'] });
      try {
        await fanfare.subscribe('orders/7').ready;
        await fanfare.publish('orders/7', 'tea');
        for await (const { message } of fanfare.history('orders/7', { from: 'last' })) return message;
      } catch (error) {
        return error.code;
      } finally {
        fanfare.close();
      }
    })()`;
    expect(await tab.evaluate(use(true))).toBe('tea');
    expect(await tab.evaluate(use(false))).toBe('not_authenticated');
  });
});
