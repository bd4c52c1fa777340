import { createServer } from 'node:http';
import type { AddressInfo, Socket as TcpSocket } from 'node:net';
import type {
  ConnectionDetails,
  ConnectionPage,
  Stats,
  SubscriberPage,
  TopicPage,
  Problem,
} from '@fanfare/protocol';
import { attach } from '@fanfare/server';
import { Server as SocketServer } from 'socket.io';
import type { Socket } from 'socket.io-client';
import { describe, expect, it, onTestFinished } from 'vitest';
import { nextEvent, startListening, until } from '../../../test/waits.ts';
import { bearer, secret, tokenFor, type Claims } from './access/tokens.ts';
import { connectClient, publish, Recorder, startServer, type Transport } from './harness.ts';
import { declare, openStream, temporaryDirectory, topicUrl } from './http-tools.ts';

/** The response to a request that succeeds. */
async function ask<T>(url: string, claims?: Claims): Promise<T> {
  const headers = { connection: 'close', ...(claims && (await bearer(claims))) };
  const response = await fetch(url, { headers });
  expect(response.status).toBe(200);
  expect(response.headers.get('cache-control')).toBe('no-store');
  return (await response.json()) as T;
}

const statsOf = (url: string, claims?: Claims): Promise<Stats> => ask(`${url}/stats`, claims);

/** The status and code of a refusal. */
async function refusalOf(url: string, init: RequestInit = {}): Promise<unknown> {
  const response = await fetch(url, { ...init, headers: { connection: 'close', ...init.headers } });
  return [response.status, ((await response.json()) as Problem).code];
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

/** The TCP connection of a client's websocket: while it is paused, the client reads nothing. */
function tcpOf(client: Socket): TcpSocket {
  const { transport } = client.io.engine as unknown as { transport: { ws: { _socket: TcpSocket } } };
  return transport.ws._socket;
}

const listOf = (url: string, query = '', claims?: Claims): Promise<ConnectionPage> =>
  ask(`${url}/connections${query}`, claims);

const routes = [
  ['GET', '/stats'],
  ['GET', '/connections'],
  ['GET', '/connections/x'],
  ['DELETE', '/connections/x'],
  ['GET', '/topics/x/subscribers'],
] as const;

describe('requests that only an admin can make', () => {
  it.each(routes)('%s %s is refused without admin rights', async (method, path) => {
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

  it('a server without tokens has no revocations', async () => {
    const { url } = await startServer();
    const response = await fetch(`${url}/revocations/ann`, { method: 'PUT' });
    expect([response.status, response.headers.get('allow')]).toEqual([404, null]);
    expect(await response.json()).toMatchObject({ code: 'not_found' });
  });

  it.each([
    ['/stats', 'GET, HEAD'],
    ['/identity', 'GET, HEAD'],
    ['/connections', 'GET, HEAD'],
    ['/topics/x/subscribers', 'GET, HEAD'],
    ['/connections/x', 'GET, HEAD, DELETE'],
  ])('%s refuses other methods', async (path, allowed) => {
    const { url } = await startServer();
    const response = await fetch(`${url}${path}`, { method: 'POST' });
    expect([response.status, response.headers.get('allow')]).toEqual([405, allowed]);
    const head = await fetch(`${url}${path}`, { method: 'HEAD' });
    expect([head.status, await head.text()]).toEqual([path.includes('x') ? 404 : 200, '']);
  });

  it('a client without admin rights is refused in the same way whether the connection exists or not', async () => {
    const { url } = await startServer({ key: secret });
    const client = await connectAs(url, {});
    const headers = await bearer({ subscribe: ['**'] });
    for (const method of ['GET', 'DELETE'])
      for (const id of [client.id, 'nobody'])
        expect(await refusalOf(`${url}/connections/${id}`, { method, headers })).toEqual([
          403,
          'not_authorized',
        ]);
    expect(client.connected).toBe(true);
  });
});

describe('GET /identity', () => {
  it('GET /identity returns the identity of the client, and the rights of its token', async () => {
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

  it('GET /identity says that a server is open, and that everyone can do everything', async () => {
    const { url } = await startServer();
    expect(await ask(`${url}/identity`)).toEqual({ open: true, admin: true, publish: [], subscribe: [] });
  });
});

describe('GET /stats', () => {
  it('GET /stats counts connections, subscriptions, topics and deliveries', async () => {
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
    // Messages that wait for a polling client count once it has polled.
    await expect.poll(async () => (await statsOf(url)).deliveries).toBe(30);
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
    // All messages that it counts as delivered have arrived.
    for (const recorder of recorders) expect(await recorder.settled(url)).toHaveLength(10);
  });

  it('GET /stats counts a message once for each connection and form, however many subscriptions match', async () => {
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
    // A topic with a reserved event name is delivered only in envelopes.
    await publishMany(url, 'message', 1);
    expect(await statsOf(url)).toMatchObject({ publishes: 11, deliveries: 41 });
  });

  it('GET /stats counts only the deliveries that a token allows of a pattern', async () => {
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

  it('GET /stats counts neither duplicates nor refused publishes', async () => {
    const { url } = await startServer();
    const client = await connectClient(url);
    await client.emitWithAck('subscribe', { topic: 'news' });
    for (let attempt = 0; attempt < 3; attempt++) await publish(url, { topic: 'news', message: 1, id: 'x' });
    await publish(url, { topic: 'news', message: 2, id: 'x' });
    await publish(url, { topic: 'missing', message: 1 });
    expect(await statsOf(url)).toMatchObject({ publishes: 1, deliveries: 1 });
  });

  it('GET /stats counts deliveries from the log, and forgets clients that have left', async () => {
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

  it('GET /stats shows the waiting bytes of slow subscribers, and that they are catching up', async () => {
    const { url } = await startServer({ outboxBytesMax: 100_000 });
    const client = await connectClient(url);
    const recorder = new Recorder(client);
    await client.emitWithAck('subscribe', { topic: 'news', envelope: true });
    tcpOf(client).pause();
    const message = 'x'.repeat(500_000);
    let published = 0;
    await until('the client is behind', async () => (await statsOf(url)).catchingUp > 0, {
      step: async () => {
        await publish(url, { topic: 'news', message });
        published++;
      },
      soFar: () => `${published} messages published`,
    });
    const stats = await statsOf(url);
    expect(stats.bytesWaiting).toBeGreaterThan(100_000);
    expect(stats.publishes).toBe(published);
    expect(stats.deliveries).toBeLessThan(published);
    tcpOf(client).resume();
    const got = (): number => recorder.events.filter(([event]) => event === 'message').length;
    await expect.poll(got).toBe(published);
    await expect
      .poll(() => statsOf(url))
      .toMatchObject({ catchingUp: 0, bytesWaiting: 0, deliveries: published });
  });

  it('GET /stats reports how many bytes the log uses on disk', async () => {
    const { url } = await startServer({ data: await temporaryDirectory() });
    await declare(url, 'news');
    const before = await statsOf(url);
    expect(before.log).toEqual({ kind: 'disk', bytes: expect.any(Number) as number });
    await publish(url, { topic: 'news', message: 'x'.repeat(900_000) });
    const { log } = await statsOf(url);
    expect(log.bytes - before.log.bytes).toBeGreaterThan(890_000);
    expect(log.bytes - before.log.bytes).toBeLessThan(1_200_000);
  });

  it('GET /stats reports the event-loop delay of the last seconds', async () => {
    const { url } = await startServer();
    const delay = async (): Promise<Stats['loopDelayMs']> => (await statsOf(url)).loopDelayMs;
    // The measurement has begun.
    await expect.poll(async () => (await delay()).max).toBeGreaterThan(0);
    const endsAt = performance.now() + 1_000;
    while (performance.now() < endsAt);
    await expect.poll(async () => (await delay()).max).toBeGreaterThan(900);
    const { p50, p99, max } = await delay();
    expect(p50).toBeLessThan(900);
    expect(p50).toBeLessThanOrEqual(p99);
    expect(p99).toBeLessThanOrEqual(max);
    await expect.poll(async () => (await delay()).max, { interval: 500 }).toBeLessThan(900);
  });
});

describe('GET /connections', () => {
  it('GET /connections lists the connected clients with transport, time and number of subscriptions', async () => {
    const before = Date.now();
    const { url } = await startServer();
    const websocket = await connectClient(url, 'websocket');
    const polling = await connectClient(url, 'polling');
    const upgraded = await connectClient(url, 'upgrade');
    const stream = await openStream(topicUrl(url, 'a/*', '/messages?from=new'));
    for (const topic of ['a', 'b', '**']) await websocket.emitWithAck('subscribe', { topic });
    await websocket.emitWithAck('subscribe', { topic: 'a', envelope: true });
    await polling.emitWithAck('subscribe', { topic: 'a' });
    const { connections, ...rest } = await listOf(url);
    expect(rest).toEqual({});
    const common = {
      address: '127.0.0.1',
      catchingUp: 0,
      bytesWaiting: 0,
      since: expect.any(Number) as number,
    };
    expect(connections).toEqual([
      { ...common, id: websocket.id, transport: 'websocket', subscriptions: 4 },
      { ...common, id: polling.id, transport: 'polling', subscriptions: 1 },
      { ...common, id: upgraded.id, transport: 'websocket', subscriptions: 0 },
      { ...common, id: expect.any(String) as string, transport: 'stream', subscriptions: 1 },
    ]);
    for (const { since } of connections) {
      expect(since).toBeGreaterThanOrEqual(before);
      expect(since).toBeLessThanOrEqual(Date.now());
    }
    await websocket.emitWithAck('unsubscribe', { topic: 'a' });
    polling.close();
    stream.close();
    await expect
      .poll(async () => (await listOf(url)).connections)
      .toMatchObject([
        { id: websocket.id, subscriptions: 2 },
        { id: upgraded.id, subscriptions: 0 },
      ]);
  });

  it('GET /connections shows the subjects of tokens, and changes when a token is renewed', async () => {
    const { url } = await startServer({ key: secret });
    const admin = { sub: 'root', admin: true };
    const ann = await connectAs(url, { sub: 'ann', subscribe: ['**'] }, 'polling');
    const stream = await openStream(
      topicUrl(url, '**', '/messages'),
      await bearer({ sub: 'bob', subscribe: ['**'] }),
    );
    await ann.emitWithAck('token', { token: await tokenFor({ sub: 'ann' }) });
    expect((await listOf(url, '', admin)).connections).toMatchObject([
      { id: ann.id, subject: 'ann' },
      { transport: 'stream', subject: 'bob' },
    ]);
    stream.close();
  });

  it('GET /connections comes in pages that stay correct while clients come and go', async () => {
    const { url } = await startServer();
    const clients: Socket[] = [];
    for (let count = 0; count < 7; count++) clients.push(await connectClient(url));
    const ids = clients.map(({ id }) => id);
    const found: (string | undefined)[] = [];
    let cursor: string | undefined;
    const readNext = async (): Promise<void> => {
      const page = await listOf(url, `?limit=2${cursor === undefined ? '' : `&cursor=${cursor}`}`);
      expect(page.connections.length).toBeLessThanOrEqual(2);
      found.push(...page.connections.map(({ id }) => id));
      ({ cursor } = page);
      // The connection at the cursor and the one before it close.
      for (const gone of clients.slice(found.length - 2, found.length)) gone.close();
      await expect
        .poll(async () => (await listOf(url, '?limit=1000')).connections.length)
        .toBe(Math.max(0, 7 - found.length));
    };
    await readNext();
    await until('the last page has no cursor', () => cursor === undefined, {
      step: readNext,
      soFar: () => found,
    });
    expect(found).toEqual(ids);
    expect(await listOf(url)).toEqual({ connections: [] });
    expect((await listOf(url, '?limit=1')).cursor).toBeUndefined();
  });

  it.each([
    ['limit=0', 'limit'],
    ['limit=1001', 'limit'],
    ['cursor=', 'cursor'],
    ['cursor=*', 'cursor'],
    [`cursor=${Buffer.from('x').toString('base64url')}`, 'cursor'],
    [`cursor=${Buffer.from('-1').toString('base64url')}`, 'cursor'],
    [`cursor=${Buffer.from('9'.repeat(30)).toString('base64url')}`, 'cursor'],
    ['cursor=MQ&cursor=MQ', 'cursor'],
  ])('GET /connections refuses wrong parameters, and names them: %s', async (query, field) => {
    const { url } = await startServer();
    const response = await fetch(`${url}/connections?${query}`);
    expect([response.status, await response.json()]).toMatchObject([400, { errors: [{ field }] }]);
  });
});

describe('GET /connections/{id}', () => {
  it('GET /connections/{id} lists the subscriptions of a connection', async () => {
    const before = Date.now();
    const { url } = await startServer();
    const client = await connectClient(url);
    await client.emitWithAck('subscribe', { topic: 'orders/7', envelope: true });
    await client.emitWithAck('subscribe', { topic: 'orders/*' });
    const { subscribed, ...rest } = await ask<ConnectionDetails>(`${url}/connections/${client.id}`);
    expect([rest]).toEqual((await listOf(url)).connections);
    const since = expect.any(Number) as number;
    expect(subscribed).toEqual([
      { topic: 'orders/*', envelope: false, since, state: 'live' },
      { topic: 'orders/7', envelope: true, since, state: 'live' },
    ]);
    for (const { since: at } of subscribed) expect(at).toBeGreaterThanOrEqual(before);
    expect(await refusalOf(`${url}/connections/nobody`)).toEqual([404, 'connection_not_found']);
    expect(await refusalOf(`${url}/connections/__proto__`)).toEqual([404, 'connection_not_found']);
  });

  it('GET /connections/{id} shows a slow connection as catching up, with its waiting bytes', async () => {
    const { url } = await startServer({ outboxBytesMax: 100_000 });
    const client = await connectClient(url);
    await client.emitWithAck('subscribe', { topic: 'news', envelope: true });
    await client.emitWithAck('subscribe', { topic: 'quiet', envelope: true });
    const stream = await openStream(topicUrl(url, 'news', '/messages?from=new'));
    tcpOf(client).pause();
    stream.pause();
    const message = 'x'.repeat(500_000);
    await until('the client and the stream are behind', async () => (await statsOf(url)).catchingUp >= 2, {
      step: () => publish(url, { topic: 'news', message }),
    });
    const [slow, slowStream] = (await listOf(url)).connections;
    expect(slow).toMatchObject({ id: client.id, subscriptions: 2, catchingUp: 1 });
    expect(slow?.bytesWaiting).toBeGreaterThan(100_000);
    expect(slowStream).toMatchObject({ transport: 'stream', catchingUp: 1 });
    expect(slowStream?.bytesWaiting).toBeGreaterThan(100_000);
    expect(await ask(`${url}/connections/${client.id}`)).toMatchObject({
      catchingUp: 1,
      subscribed: [
        { topic: 'news', state: 'catching_up' },
        { topic: 'quiet', state: 'live' },
      ],
    });
    tcpOf(client).resume();
    stream.resume();
    await expect
      .poll(async () => (await listOf(url)).connections)
      .toMatchObject([
        { catchingUp: 0, bytesWaiting: 0 },
        { catchingUp: 0, bytesWaiting: 0 },
      ]);
  });
});

describe('DELETE /connections/{id}', () => {
  async function end(url: string, id: string | undefined, init: RequestInit = {}): Promise<number> {
    const headers = { connection: 'close', ...init.headers };
    const response = await fetch(`${url}/connections/${id}`, { method: 'DELETE', ...init, headers });
    expect(await response.text()).toBe('');
    return response.status;
  }

  it.each(['websocket', 'polling', 'upgrade'] as const)(
    'DELETE /connections/{id} disconnects a client over %s',
    async (transport) => {
      const { url } = await startServer();
      const [client, other] = [await connectClient(url, transport), await connectClient(url, transport)];
      const recorder = new Recorder(other);
      for (const one of [client, other]) await one.emitWithAck('subscribe', { topic: 'news' });
      const { id } = client;
      const disconnected = nextEvent(client, 'disconnect', 'the operator ends the connection');
      expect(await end(url, id)).toBe(204);
      expect(await disconnected).toBe('io server disconnect');
      expect(await refusalOf(`${url}/connections/${id}`, { method: 'DELETE' })).toEqual([
        404,
        'connection_not_found',
      ]);
      expect(await statsOf(url)).toMatchObject({ connections: 1, subscriptions: 1 });
      await publishMany(url, 'news', 3);
      await expect.poll(async () => (await statsOf(url)).deliveries).toBe(3);
      expect(await recorder.settled(url)).toHaveLength(3);
      // The client can reconnect.
      client.connect();
      await nextEvent(client, 'connect', 'a client whose connection was ended may connect again');
      expect(client.id).not.toBe(id);
    },
  );

  it('DELETE /connections/{id} ends a stream after all that was delivered before', async () => {
    const { url } = await startServer();
    const stream = await openStream(topicUrl(url, '**', '/messages?from=new'));
    await declare(url, 'news');
    await publishMany(url, 'news', 3);
    const [connection] = (await listOf(url)).connections;
    const body = { body: '{"x":1}', headers: { 'content-type': 'application/json' } };
    expect(await end(url, connection?.id, body)).toBe(204);
    await stream.ended();
    expect(stream.messages).toEqual([0, 1, 2]);
    expect(await statsOf(url)).toMatchObject({ connections: 0, subscriptions: 0 });
  });

  it('DELETE /connections/{id} ends a connection whose client reads nothing', async () => {
    const { url } = await startServer({ outboxBytesMax: 100_000 });
    const client = await connectClient(url);
    await client.emitWithAck('subscribe', { topic: 'news', envelope: true });
    tcpOf(client).pause();
    const message = 'x'.repeat(500_000);
    await until('the client is behind', async () => (await statsOf(url)).catchingUp > 0, {
      step: () => publish(url, { topic: 'news', message }),
    });
    expect(await end(url, client.id)).toBe(204);
    expect(await statsOf(url)).toMatchObject({ connections: 0, subscriptions: 0, catchingUp: 0 });
    const disconnected = nextEvent(client, 'disconnect', 'the operator ends a connection that takes nothing');
    tcpOf(client).resume();
    await disconnected;
    await expect.poll(async () => (await statsOf(url)).bytesWaiting).toBe(0);
  });

  it('DELETE /connections/{id} by an admin ends only the named connection', async () => {
    const { url } = await startServer({ key: secret });
    const [ann, bob] = [await connectAs(url, { sub: 'ann' }), await connectAs(url, { sub: 'bob' })];
    const disconnected = nextEvent(ann, 'disconnect', 'an admin ends the connection');
    expect(await end(url, ann.id, { headers: await bearer({ admin: true }) })).toBe(204);
    expect(await disconnected).toBe('io server disconnect');
    expect(bob.connected).toBe(true);
    expect((await listOf(url, '', { admin: true })).connections).toMatchObject([{ subject: 'bob' }]);
  });
});

describe('GET /topics/{topic}/subscribers', () => {
  const subscribersOf = (url: string, topic: string, query = '', claims?: Claims): Promise<SubscriberPage> =>
    ask(topicUrl(url, topic, `/subscribers${query}`), claims);

  it('GET /topics/{topic}/subscribers lists the subscriptions to the topic and to patterns that match it', async () => {
    const before = Date.now();
    const { url } = await startServer();
    const [one, other] = [await connectClient(url), await connectClient(url, 'polling')];
    const stream = await openStream(topicUrl(url, 'orders/**', '/messages?from=new'));
    await one.emitWithAck('subscribe', { topic: 'orders/7' });
    await one.emitWithAck('subscribe', { topic: 'orders/7', envelope: true });
    await one.emitWithAck('subscribe', { topic: '*/7', envelope: true });
    for (const topic of ['orders/8', 'orders/*/lines', '*']) await one.emitWithAck('subscribe', { topic });
    await other.emitWithAck('subscribe', { topic: '**' });
    const since = expect.any(Number) as number;
    const common = { address: '127.0.0.1', since, state: 'live', bytesWaiting: 0 };
    const own = { ...common, connection: one.id, transport: 'websocket' };
    const { subscribers, ...rest } = await subscribersOf(url, 'orders/7');
    expect(rest).toEqual({});
    expect(subscribers).toEqual([
      { ...own, via: '*/7', envelope: true },
      { ...own, via: 'orders/7', envelope: true },
      { ...own, via: 'orders/7', envelope: false },
      { ...common, connection: other.id, transport: 'polling', via: '**', envelope: false },
      {
        ...common,
        connection: expect.any(String) as string,
        transport: 'stream',
        via: 'orders/**',
        envelope: true,
      },
    ]);
    for (const subscriber of subscribers) expect(subscriber.since).toBeGreaterThanOrEqual(before);
    await one.emitWithAck('unsubscribe', { topic: 'orders/7', envelope: false });
    other.close();
    stream.close();
    await expect
      .poll(async () => (await subscribersOf(url, 'orders/7')).subscribers)
      .toMatchObject([{ via: '*/7' }, { via: 'orders/7', envelope: true }]);
  });

  it('GET /topics/{topic}/subscribers has as many entries as the topic and the list of topics report', async () => {
    const { url } = await startServer({ key: secret });
    const admin = { sub: 'root', admin: true };
    const [root, ann] = [await connectAs(url, admin), await connectAs(url, { subscribe: ['orders/7'] })];
    const stream = await openStream(topicUrl(url, '**', '/messages?from=new'), await bearer(admin));
    for (const topic of ['orders/7', 'orders/*', '*']) await root.emitWithAck('subscribe', { topic });
    await root.emitWithAck('subscribe', { topic: 'orders/7', envelope: true });
    for (const topic of ['orders/*', 'orders/**']) await ann.emitWithAck('subscribe', { topic });
    const headers = await bearer(admin);
    for (const topic of ['orders/8', 'prices', 'state'])
      await fetch(topicUrl(url, topic), { method: 'PUT', headers });
    const read = async (at: string): Promise<unknown> => (await fetch(at, { headers })).json();
    const { topics } = (await read(`${url}/topics`)) as TopicPage;
    const counts = topics.map(({ topic, subscribers }) => [topic, subscribers]);
    // `state` cannot be an event, so it is not delivered to plain patterns.
    expect(counts).toEqual([
      ['orders/7', 6],
      ['orders/8', 2],
      ['prices', 2],
      ['state', 1],
    ]);
    for (const { topic, subscribers } of topics) {
      expect(await read(topicUrl(url, topic))).toMatchObject({ subscribers });
      expect((await subscribersOf(url, topic, '', admin)).subscribers).toHaveLength(subscribers);
    }
    stream.close();
  });

  it('GET /topics/{topic}/subscribers lists pattern subscriptions only if their client can read the topic', async () => {
    const { url } = await startServer({ key: secret });
    const admin = { sub: 'root', admin: true };
    const everyone = [
      { sub: 'ann', subscribe: ['a/1'] },
      { sub: 'bob', subscribe: ['a/1', 'a/2'] },
      { sub: 'cyd', subscribe: ['a/*'] },
      admin,
    ];
    for (const claims of everyone) {
      const client = await connectAs(url, claims);
      await client.emitWithAck('subscribe', { topic: 'a/*' });
    }
    const headers = await bearer(admin);
    for (const [topic, subjects] of [
      ['a/1', ['ann', 'bob', 'cyd', 'root']],
      ['a/2', ['bob', 'cyd', 'root']],
      ['a/3', ['cyd', 'root']],
    ] as const) {
      await publishMany(url, topic, 1, headers);
      const { subscribers } = await subscribersOf(url, topic, '', admin);
      expect(subscribers).toMatchObject(subjects.map((subject) => ({ subject, via: 'a/*' })));
    }
    // The listed subscribers are exactly those that get the message.
    expect((await statsOf(url, admin)).deliveries).toBe(4 + 3 + 2);
    const mayRead = await bearer({ subscribe: ['**'] });
    for (const topic of ['a/1', 'missing'])
      expect(await refusalOf(topicUrl(url, topic, '/subscribers'), { headers: mayRead })).toEqual([
        403,
        'not_authorized',
      ]);
  });

  it('GET /topics/{topic}/subscribers comes in pages with each subscription once, even if one connection has many', async () => {
    const { url } = await startServer();
    const clients: Socket[] = [];
    const expected: string[] = [];
    for (let count = 0; count < 3; count++) {
      const client = await connectClient(url);
      clients.push(client);
      for (const topic of ['b/c', 'b/*', '*/c', '**', 'b/**'])
        for (const envelope of [true, false]) {
          await client.emitWithAck('subscribe', { topic, envelope });
          expected.push(`${client.id} ${topic} ${envelope}`);
        }
    }
    for (const limit of [1, 3, 4, 10, 30]) {
      const found: string[] = [];
      let cursor: string | undefined;
      const readNext = async (): Promise<void> => {
        const page = await subscribersOf(url, 'b/c', `?limit=${limit}${cursor ? `&cursor=${cursor}` : ''}`);
        expect(page.subscribers.length).toBeLessThanOrEqual(limit);
        found.push(
          ...page.subscribers.map(({ connection, via, envelope }) => `${connection} ${via} ${envelope}`),
        );
        ({ cursor } = page);
      };
      await readNext();
      await until('the last page has no cursor', () => cursor === undefined, {
        step: readNext,
        soFar: () => found,
      });
      expect(found.toSorted()).toEqual(expected.toSorted());
    }
    const { cursor } = await subscribersOf(url, 'b/c', '?limit=5');
    clients[0]?.close();
    await expect.poll(async () => (await statsOf(url)).connections).toBe(2);
    expect((await subscribersOf(url, 'b/c', `?cursor=${cursor}`)).subscribers).toHaveLength(20);
  });

  it('GET /topics/{topic}/subscribers omits plain pattern subscriptions if the topic has a reserved event name', async () => {
    const { url } = await startServer();
    const client = await connectClient(url);
    await declare(url, 'state');
    for (const envelope of [true, false]) await client.emitWithAck('subscribe', { topic: '*', envelope });
    await publish(url, { topic: 'state', message: 1 });
    expect((await statsOf(url)).deliveries).toBe(1);
    expect((await subscribersOf(url, 'state')).subscribers).toMatchObject([{ via: '*', envelope: true }]);
  });

  it('GET /topics/{topic}/subscribers refuses a missing topic, a pattern and an invalid cursor', async () => {
    const { url } = await startServer();
    expect(await refusalOf(topicUrl(url, 'missing', '/subscribers'))).toEqual([404, 'topic_not_found']);
    expect(await refusalOf(topicUrl(url, 'a/*', '/subscribers'))).toEqual([400, 'topic_name_invalid']);
    await declare(url, 'news');
    for (const place of ['1', 'x', '1 ', ' x', '-1 x'])
      expect(
        await refusalOf(
          topicUrl(url, 'news', `/subscribers?cursor=${Buffer.from(place).toString('base64url')}`),
        ),
      ).toEqual([400, 'bad_request']);
    expect(await subscribersOf(url, 'news')).toEqual({ subscribers: [] });
  });
});

describe('Fanfare attached to an app', () => {
  const paths = ['/identity', '/stats', '/connections', '/connections/1', '/stats?x', '/topics'];

  it.each([
    ['publish', []],
    ['topics', ['/topics']],
    ['all', paths],
  ] as const)('an app that attaches Fanfare with `http: %s` keeps its other paths', async (http, taken) => {
    const httpServer = createServer((_request, response) => response.end('the app'));
    const fanfare = await attach(httpServer, { http });
    await startListening(httpServer);
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

  it("Fanfare attached to an app counts deliveries and waiting bytes with the app's own Socket.IO server too", async () => {
    const httpServer = createServer((_request, response) => response.end('the app'));
    const io = new SocketServer(httpServer);
    const fanfare = await attach(httpServer, { http: 'all', io });
    await startListening(httpServer);
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
