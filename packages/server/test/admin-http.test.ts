import { createServer } from 'node:http';
import type { AddressInfo, Socket as TcpSocket } from 'node:net';
import { attach } from '@fanfare/server';
import { Server as SocketServer } from 'socket.io';
import type { Socket } from 'socket.io-client';
import { describe, expect, it, onTestFinished } from 'vitest';
import { bearer, secret, tokenFor, type Claims } from './access/tokens.ts';
import { connectClient, publish, Recorder, startServer, type Transport } from './harness.ts';
import { declare, openStream, temporaryDirectory, topicUrl } from './http-tools.ts';

interface Stats {
  readonly time: number;
  readonly startedAt: number;
  readonly connections: number;
  readonly subscriptions: number;
  readonly topics: number;
  readonly publishes: number;
  readonly deliveries: number;
  readonly bytesWaiting: number;
  readonly catchingUp: number;
  readonly loopDelayMs: { readonly p50: number; readonly p99: number; readonly max: number };
  readonly log: { readonly kind: string; readonly bytes: number; readonly bytesMax?: number };
}

/** What a request that succeeds is answered. */
async function ask<T>(url: string, claims?: Claims): Promise<T> {
  const headers = { connection: 'close', ...(claims && (await bearer(claims))) };
  const response = await fetch(url, { headers });
  expect(response.status).toBe(200);
  expect(response.headers.get('cache-control')).toBe('no-store');
  return (await response.json()) as T;
}

const statsOf = (url: string, claims?: Claims): Promise<Stats> => ask(`${url}/stats`, claims);

/** What a request is refused with. */
async function refusalOf(url: string, init: RequestInit = {}): Promise<unknown> {
  const response = await fetch(url, { ...init, headers: { connection: 'close', ...init.headers } });
  return [response.status, ((await response.json()) as { code: string }).code];
}

async function connectAs(url: string, claims: Claims, transport?: Transport): Promise<Socket> {
  return connectClient(url, transport, { auth: { token: await tokenFor(claims) } });
}

async function publishMany(url: string, topic: string, count: number, headers = {}): Promise<void> {
  for (let message = 0; message < count; message++) {
    const answer = await publish(url, { topic, message }, { accept: 'application/json', ...headers });
    expect(answer.status).toBe(200);
  }
}

/** The TCP connection of a client over websocket: pause it, and the client reads nothing. */
function tcpOf(client: Socket): TcpSocket {
  const { transport } = client.io.engine as unknown as { transport: { ws: { _socket: TcpSocket } } };
  return transport.ws._socket;
}

const routes = [['GET', '/stats']] as const;

describe('what only an admin may ask', () => {
  it.each(routes)('%s %s is refused to others, and to nobody in particular', async (method, path) => {
    const { url } = await startServer({ key: secret });
    const all = { publish: ['**'], subscribe: ['**'] };
    expect(await refusalOf(`${url}${path}`, { method })).toEqual([401, 'not_authenticated']);
    const others = [{}, all, { ...all, admin: false }];
    for (const claims of others) {
      expect(await refusalOf(`${url}${path}`, { method, headers: await bearer(claims) })).toEqual([
        403,
        'not_authorized',
      ]);
    }
  });

  it.each(['/stats', '/identity'])('%s takes no other method', async (path) => {
    const { url } = await startServer();
    const response = await fetch(`${url}${path}`, { method: 'POST' });
    expect([response.status, response.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
  });
});

describe('GET /identity', () => {
  it('tells who is asking, and what the token says', async () => {
    const { url } = await startServer({ key: secret });
    const { endsAt, ...identity } = await ask<{ endsAt: number }>(`${url}/identity`, {
      sub: 'ann',
      publish: ['a/**'],
      subscribe: ['b', 'c/*'],
      exp: 100,
    });
    expect(identity).toEqual({
      open: false,
      subject: 'ann',
      admin: false,
      publish: ['a/**'],
      subscribe: ['b', 'c/*'],
    });
    expect(Math.abs(endsAt - Date.now() - 100_000)).toBeLessThan(10_000);
    expect(await ask(`${url}/identity`, { sub: 'root', admin: true })).toMatchObject({
      subject: 'root',
      admin: true,
      publish: [],
    });
    expect(await refusalOf(`${url}/identity`)).toEqual([401, 'not_authenticated']);
  });

  it('says that a server is open, where everybody may everything', async () => {
    const { url } = await startServer();
    expect(await ask(`${url}/identity`)).toEqual({ open: true, admin: true, publish: [], subscribe: [] });
  });
});

describe('GET /stats', () => {
  it('counts what there is, and what was done', async () => {
    const started = Date.now();
    const { url } = await startServer({ memoryBytesMax: 2_000_000 });
    expect(await statsOf(url)).toMatchObject({
      connections: 0,
      subscriptions: 0,
      publishes: 0,
      deliveries: 0,
    });
    const recorders: Recorder[] = [];
    for (const transport of ['websocket', 'polling', 'upgrade'] as const) {
      const client = await connectClient(url, transport);
      recorders.push(new Recorder(client));
      await client.emitWithAck('subscribe', { topic: 'news', envelope: transport === 'polling' });
    }
    await declare(url, 'silent');
    await publishMany(url, 'news', 10);
    await publishMany(url, 'silent', 5);
    const stats = await statsOf(url);
    expect(stats).toMatchObject({
      version: expect.stringMatching(/^\d+\.\d+\.\d+/) as string,
      connections: 3,
      subscriptions: 3,
      topics: 2,
      publishes: 15,
      deliveries: 30,
      catchingUp: 0,
      log: { kind: 'memory', bytesMax: 2_000_000 },
    });
    expect(stats.startedAt).toBeGreaterThanOrEqual(started);
    expect(stats.time).toBeGreaterThanOrEqual(stats.startedAt);
    expect(stats.log.bytes).toBeGreaterThan(0);
    // What it says was delivered has come.
    for (const recorder of recorders) expect(await recorder.settled(url)).toHaveLength(10);
  });

  it('counts a message once for each connection and form, whatever it is subscribed through', async () => {
    const { url } = await startServer({ rules: [{ match: 'message', create: 'publish' }] });
    const [one, other] = [await connectClient(url), await connectClient(url)];
    for (const topic of ['a/b', 'a/*', '**']) {
      await one.emitWithAck('subscribe', { topic });
      await one.emitWithAck('subscribe', { topic, envelope: true });
    }
    await other.emitWithAck('subscribe', { topic: 'a/**' });
    const stream = await openStream(topicUrl(url, 'a/*', '/messages?from=new'));
    await publishMany(url, 'a/b', 10);
    expect(await statsOf(url)).toMatchObject({
      publishes: 10,
      deliveries: 40,
      subscriptions: 8,
      connections: 3,
    });
    await stream.until(({ data }) => data['message'] === 9);
    expect(stream.messages).toHaveLength(10);
    // A name that cannot be an event is delivered in envelopes alone.
    await publishMany(url, 'message', 1);
    expect(await statsOf(url)).toMatchObject({ publishes: 11, deliveries: 41 });
  });

  it('counts what a token lets through of a pattern', async () => {
    const { url } = await startServer({ key: secret });
    const admin = { sub: 'root', admin: true };
    for (const claims of [{ subscribe: ['a/1'] }, { subscribe: ['a/1', 'a/2'] }, admin]) {
      const client = await connectAs(url, claims);
      expect(await client.emitWithAck('subscribe', { topic: 'a/*' })).toMatchObject({ ok: true });
    }
    const headers = await bearer(admin);
    await publishMany(url, 'a/1', 2, headers);
    await publishMany(url, 'a/2', 1, headers);
    await publishMany(url, 'a/3', 1, headers);
    expect(await statsOf(url, admin)).toMatchObject({
      publishes: 4,
      deliveries: 2 * 3 + 2 + 1,
      subscriptions: 3,
    });
  });

  it('counts no duplicate, and nothing that was refused', async () => {
    const { url } = await startServer();
    const client = await connectClient(url);
    await client.emitWithAck('subscribe', { topic: 'news' });
    for (let attempt = 0; attempt < 3; attempt++) await publish(url, { topic: 'news', message: 1, id: 'x' });
    await publish(url, { topic: 'news', message: 2, id: 'x' });
    await publish(url, { topic: 'missing', message: 1 });
    expect(await statsOf(url)).toMatchObject({ publishes: 1, deliveries: 1 });
  });

  it('counts what was read from the log, and forgets who has gone', async () => {
    const { url } = await startServer();
    await declare(url, 'news');
    await publishMany(url, 'news', 7);
    const client = await connectClient(url);
    const recorder = new Recorder(client);
    await client.emitWithAck('subscribe', { topic: 'news', envelope: true, from: 'earliest' });
    await expect.poll(() => recorder.events.filter(([event]) => event === 'message').length).toBe(7);
    await expect.poll(async () => (await statsOf(url)).catchingUp).toBe(0);
    expect(await statsOf(url)).toMatchObject({
      publishes: 7,
      deliveries: 7,
      connections: 1,
      subscriptions: 1,
    });
    await client.emitWithAck('unsubscribe', { topic: 'news' });
    expect(await statsOf(url)).toMatchObject({ connections: 1, subscriptions: 0, catchingUp: 0 });
    client.close();
    await expect.poll(async () => (await statsOf(url)).connections).toBe(0);
    const stream = await openStream(topicUrl(url, 'news', '/messages?from=new'));
    expect(await statsOf(url)).toMatchObject({ connections: 1, subscriptions: 1 });
    stream.close();
    await expect.poll(async () => (await statsOf(url)).subscriptions).toBe(0);
    expect(await statsOf(url)).toMatchObject({ connections: 0, catchingUp: 0 });
  });

  it('shows who does not keep up: what waits, and that it is catching up', async () => {
    const { url } = await startServer({ outboxBytesMax: 100_000 });
    const client = await connectClient(url);
    const recorder = new Recorder(client);
    await client.emitWithAck('subscribe', { topic: 'news', envelope: true });
    tcpOf(client).pause();
    const message = 'x'.repeat(500_000);
    let published = 0;
    for (; (await statsOf(url)).catchingUp === 0; published++) await publish(url, { topic: 'news', message });
    const stats = await statsOf(url);
    expect(stats.bytesWaiting).toBeGreaterThan(100_000);
    expect(stats.publishes).toBe(published);
    expect(stats.deliveries).toBeLessThan(published);
    tcpOf(client).resume();
    const got = (): number => recorder.events.filter(([event]) => event === 'message').length;
    await expect.poll(got, { timeout: 10_000 }).toBe(published);
    await expect
      .poll(() => statsOf(url))
      .toMatchObject({ catchingUp: 0, bytesWaiting: 0, deliveries: published });
  });

  it('tells how many bytes of the disk the log takes', async () => {
    const { url } = await startServer({ data: await temporaryDirectory() });
    await declare(url, 'news');
    const before = await statsOf(url);
    expect(before.log).toEqual({ kind: 'disk', bytes: expect.any(Number) as number });
    await publish(url, { topic: 'news', message: 'x'.repeat(900_000) });
    const { log } = await statsOf(url);
    expect(log.bytes - before.log.bytes).toBeGreaterThan(890_000);
    expect(log.bytes - before.log.bytes).toBeLessThan(1_200_000);
  });

  it('tells how late the event loop was', async () => {
    const { url } = await startServer();
    // It has begun to look.
    await expect.poll(async () => (await statsOf(url)).loopDelayMs.max).toBeGreaterThan(0);
    const until = performance.now() + 300;
    while (performance.now() < until);
    await expect.poll(async () => (await statsOf(url)).loopDelayMs.max).toBeGreaterThan(200);
    const { loopDelayMs } = await statsOf(url);
    expect(loopDelayMs.p50).toBeLessThan(200);
    expect(loopDelayMs.p50).toBeLessThanOrEqual(loopDelayMs.p99);
    expect(loopDelayMs.p99).toBeLessThanOrEqual(loopDelayMs.max);
  });
});

describe('Fanfare attached to an app', () => {
  const paths = ['/identity', '/stats', '/connections', '/connections/1', '/stats?x', '/topics'];

  it.each([
    ['publish', []],
    ['topics', ['/topics']],
    ['all', paths],
  ] as const)('takes with `http: %s` no path of the app that it was not given', async (http, taken) => {
    const httpServer = createServer((_request, response) => response.end('the app'));
    const fanfare = await attach(httpServer, { http });
    await new Promise<void>((resolve) => void httpServer.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void httpServer.close());
    onTestFinished(() => fanfare.stop());
    const url = `http://localhost:${(httpServer.address() as AddressInfo).port}`;
    const ours: string[] = [];
    for (const path of [...paths, '/status', '/identity2', '/app/stats', '/']) {
      const response = await fetch(`${url}${path}`, { headers: { connection: 'close' } });
      if ((await response.text()) !== 'the app') ours.push(path);
    }
    expect(ours).toEqual(taken);
  });

  it("counts deliveries and what waits with the app's own Socket.IO server too", async () => {
    const httpServer = createServer((_request, response) => response.end('the app'));
    const io = new SocketServer(httpServer);
    const fanfare = await attach(httpServer, { http: 'all', io });
    await new Promise<void>((resolve) => void httpServer.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void httpServer.close());
    onTestFinished(() => void io.close());
    onTestFinished(() => fanfare.stop());
    const url = `http://localhost:${(httpServer.address() as AddressInfo).port}`;
    const client = await connectClient(url);
    const other = await connectClient(url, 'polling');
    for (const topic of ['a/b', 'a/*']) await client.emitWithAck('subscribe', { topic });
    await other.emitWithAck('subscribe', { topic: 'a/*' });
    for (let message = 0; message < 10; message++) await fanfare.publish('a/b', message);
    await expect
      .poll(() => statsOf(url))
      .toMatchObject({ connections: 2, subscriptions: 3, publishes: 10, deliveries: 20, bytesWaiting: 0 });
  });
});
