import { once } from 'node:events';
import { decodeJwt } from 'jose';
import { io } from 'socket.io-client';
import { describe, expect, it, onTestFinished } from 'vitest';
import { nextEvent, soonMs, within } from '../../../../test/waits.ts';
import { connectClient, connectRaw, publish, startServer, transports } from '../harness.ts';
import { openVerifier } from '../../src/access/verifier-factory.ts';
import { Access } from '../../src/access/access.ts';
import { LiveIdentities } from '../../src/access/live-identities.ts';
import { Revocations } from '../../src/access/revocations.ts';
import { defaultRule } from '../../src/config/rules.ts';
import { SingleNode } from '../../src/nodes/cluster.ts';
import { Rules } from '../../src/rules/rule.ts';
import { connectDeaf } from '../hostile/deaf-clients.ts';
import { openStream, StreamReader, topicUrl } from '../http-tools.ts';
import { RevocationsInMemory } from './revocations-in-memory.ts';
import { bearer, noKeys, secret, tokenFor, type Claims } from './tokens.ts';

type Client = Awaited<ReturnType<typeof connectClient>>;

/** The name and argument of the next event. */
function next(client: Client, event: string): Promise<{ readonly code?: string }> {
  return nextEvent(client, event, 'the client waits for it');
}

async function connect(url: string, claims: Claims, transport = transports[0]): Promise<Client> {
  return connectClient(url, transport, { auth: { token: await tokenFor(claims) } });
}

/** The bytes of a response, without its date. */
async function answerOf(url: string, init: RequestInit = {}): Promise<string> {
  const response = await fetch(url, { ...init, headers: { connection: 'close', ...init.headers } });
  const headers = [...response.headers].filter(([name]) => name !== 'date');
  return JSON.stringify([response.status, headers, await response.text()]);
}

const routes = [
  ['POST', '/publish'],
  ['GET', '/topics'],
  ['GET', '/topics/a'],
  ['PUT', '/topics/a'],
  ['DELETE', '/topics/a'],
  ['GET', '/topics/a/messages'],
  ['HEAD', '/topics/a/messages'],
  ['PUT', '/revocations/ann'],
  ['GET', '/identity'],
  ['GET', '/stats'],
  ['GET', '/connections'],
  ['GET', '/connections/x'],
  ['DELETE', '/connections/x'],
  ['GET', '/topics/a/subscribers'],
] as const;

describe('a request without a valid token', () => {
  it.each(routes)('%s %s without a valid token gets status 401', async (method, path) => {
    const { url } = await startServer({ key: secret });
    for (const authorization of [
      undefined,
      'Bearer',
      'Bearer x',
      'Basic YTpi',
      `Bearer ${await tokenFor({ exp: -1 })}`,
    ]) {
      const headers = { connection: 'close', ...(authorization !== undefined && { authorization }) };
      const response = await fetch(`${url}${path}`, { method, headers });
      expect([authorization, response.status]).toEqual([authorization, 401]);
      expect(response.headers.get('www-authenticate')).toBe('Bearer');
      const code =
        authorization !== undefined && authorization.length > 20 ? 'token_expired' : 'not_authenticated';
      if (method !== 'HEAD') expect(await response.json()).toMatchObject({ code, status: 401 });
    }
    const stream = await fetch(`${url}/topics/a/messages`, {
      headers: { accept: 'text/event-stream', connection: 'close' },
    });
    expect(stream.status).toBe(401);
  });

  it.each(transports.slice(0, 2))(
    'a client over %s without a valid token is refused with the reason',
    async (transport) => {
      const { url } = await startServer({ key: secret });
      const auths: readonly object[] = [{}, { token: 'x' }, { token: 1 }, { token: null }, { token: {} }];
      for (const auth of [...auths, { token: await tokenFor({ exp: -1 }) }]) {
        const client = io(url, { transports: [transport], forceNew: true, reconnection: false, auth });
        onTestFinished(() => void client.close());
        const refusal = nextEvent<Error & { data?: { code?: string } }>(
          client,
          'connect_error',
          'the server refuses the token',
        );
        const error = await refusal;
        expect(error.data).toMatchObject({
          status: 401,
          type: expect.stringMatching(/^urn:fanfare:error:/) as string,
        });
      }
    },
  );

  it('a Socket.IO client can send its token in the `Authorization` header', async () => {
    const { url } = await startServer({ key: secret });
    const client = await connectClient(url, 'websocket', {
      extraHeaders: await bearer({ subscribe: ['a'] }),
    });
    expect(await client.emitWithAck('subscribe', { topic: 'a' })).toMatchObject({ ok: true });
    expect(await client.emitWithAck('subscribe', { topic: 'b' })).toMatchObject({
      error: { code: 'not_authorized' },
    });
  });

  it('pages have no data, and are served without a token', async () => {
    const { url } = await startServer({ key: secret });
    for (const path of ['/', '/fanfare.js'])
      expect((await fetch(`${url}${path}`, { headers: { connection: 'close' } })).status).toBe(200);
  });
});

describe('a topic that a token does not allow', () => {
  it('a topic that a token does not allow looks the same whether it exists or not, byte for byte', async () => {
    const { url, server } = await startServer({ key: secret });
    const headers = {
      ...(await bearer({ subscribe: ['mine'], publish: ['mine'] })),
      'content-type': 'application/json',
    };
    const body = JSON.stringify({ topic: 'theirs', message: 1 });
    const asks: readonly (readonly [string, RequestInit])[] = [
      ['/topics', { headers }],
      ['/topics?prefix=the', { headers }],
      [`/topics/theirs`, { headers }],
      ['/topics/theirs', { headers, method: 'HEAD' }],
      ['/topics/theirs', { headers, method: 'PUT' }],
      ['/topics/theirs', { headers, method: 'DELETE' }],
      ['/topics/theirs/messages', { headers }],
      ['/topics/theirs/messages?last=1', { headers }],
      ['/topics/theirs/messages', { headers: { ...headers, accept: 'text/event-stream' } }],
      ['/topics/theirs/messages', { headers: { ...headers, accept: 'text/event-stream' }, method: 'HEAD' }],
      [
        '/topics/theirs%2F*/messages',
        { headers: { ...headers, accept: 'text/event-stream' }, method: 'HEAD' },
      ],
      ['/topics/theirs%2F*/messages', { headers }],
      ['/publish', { headers, method: 'POST', body }],
      ['/publish', { headers: { ...headers, accept: 'application/json' }, method: 'POST', body }],
      ['/publish', { headers, method: 'POST', body: `[${body}]` }],
    ];
    const client = await connect(url, { subscribe: ['mine'], publish: ['mine'] });
    const events: readonly (readonly [string, object])[] = [
      ['subscribe', { topic: 'theirs' }],
      ['subscribe', { topic: 'theirs', envelope: true, from: 'earliest' }],
      ['subscribe', { topic: 'theirs/*' }],
      ['unsubscribe', { topic: 'theirs' }],
      ['publish', { topic: 'theirs', message: 1 }],
    ];
    const all = async (): Promise<string[]> => {
      const answers: string[] = [];
      for (const [path, init] of asks) answers.push(await answerOf(`${url}${path}`, init));
      for (const [event, argument] of events)
        answers.push(JSON.stringify(await client.emitWithAck(event, argument)));
      return answers;
    };
    const before = await all();
    const admin = await bearer({ admin: true });
    for (const topic of ['theirs', 'theirs/1']) {
      await fetch(topicUrl(url, topic), { method: 'PUT', headers: { ...admin, connection: 'close' } });
      await server.publish(topic, 'secret');
    }
    expect(await all()).toEqual(before);
    // The comparison would detect a difference.
    const ask = { headers: await bearer({ subscribe: ['theirs'] }) };
    expect(await answerOf(`${url}/topics/theirs`, ask)).toContain('lastOffset');
  });

  it('a topic that a token does not allow is not counted, reported or paged through', async () => {
    const { url, server } = await startServer({ key: secret, rules: [{ match: '**', create: 'publish' }] });
    for (let at = 0; at < 5; at++) for (const topic of ['a/1', 'a/2', 'b/1']) await server.publish(topic, at);
    const headers = { ...(await bearer({ subscribe: ['a/1', 'b/*'] })), connection: 'close' };
    const list = (await (await fetch(`${url}/topics?limit=1`, { headers })).json()) as {
      topics: unknown[];
      cursor: string;
    };
    expect(list.topics).toEqual([expect.objectContaining({ topic: 'a/1' })]);
    const more = (await (
      await fetch(`${url}/topics?limit=1&cursor=${list.cursor}`, { headers })
    ).json()) as object;
    expect(more).toEqual({ topics: [expect.objectContaining({ topic: 'b/1' })] });
    const client = await connect(url, { subscribe: ['a/1', 'b/*'] });
    const ack = (await client.emitWithAck('subscribe', {
      topic: '**',
      envelope: true,
      from: 'earliest',
    })) as object;
    expect(ack).toMatchObject({ ok: true, replayed: 10 });
    // The deletion of a topic that the token does not allow is not a gap.
    const admin = await bearer({ admin: true });
    await fetch(topicUrl(url, 'a/2'), { method: 'DELETE', headers: { ...admin, connection: 'close' } });
    const { offset } = ack as { offset: string };
    expect(
      await client.emitWithAck('subscribe', { topic: 'a/*', envelope: true, from: offset }),
    ).toMatchObject({ recovered: true, replayed: 5 });
  });
});

describe('a connection with a token', () => {
  it.each(transports)(
    'a connection over %s ends with its token, and a stock client reconnects only with a fresh token',
    async (transport) => {
      const { url } = await startServer({ key: secret });
      const options = { reconnection: true, reconnectionDelay: 50 };
      const subjects = ['keeps its token', 'fetches another'] as const;
      const clients = await Promise.all(
        subjects.map(async (sub) => {
          const claims = { sub, subscribe: ['a'], exp: 2 };
          const first = await tokenFor(claims);
          let asked = 0;
          const fetchToken = async (send: (auth: object) => void): Promise<void> =>
            send({ token: asked++ === 0 ? first : await tokenFor({ ...claims, exp: 600 }) });
          const auth =
            sub === 'fetches another'
              ? (send: (auth: object) => void) => void fetchToken(send)
              : { token: first };
          const client = await connectClient(url, transport, { ...options, auth });
          await client.emitWithAck('subscribe', { topic: 'a' });
          return client;
        }),
      );
      const ends = clients.map(async (client) => {
        const ended = Promise.all([next(client, 'error'), next(client, 'disconnect')]);
        const again = Promise.race([next(client, 'connect'), next(client, 'connect_error')]);
        const [error, reason] = await ended;
        expect(error).toMatchObject({ code: 'token_expired', status: 401 });
        expect(reason).toBe('transport close');
        return again;
      });
      const [refused, connected] = await Promise.all(ends);
      expect(refused).toMatchObject({ data: { code: 'token_expired' } });
      expect(connected).toBeUndefined();
      expect(clients.map(({ active }) => active)).toEqual([false, true]);
    },
  );

  it('a connection of a revoked subject ends so that a stock client does not reconnect', async () => {
    const { url } = await startServer({ key: secret });
    const auth = { token: await tokenFor({ sub: 'bob' }) };
    const client = await connectClient(url, 'websocket', { reconnection: true, reconnectionDelay: 50, auth });
    const disconnected = next(client, 'disconnect');
    const headers = { ...(await bearer({ sub: 'root', admin: true })), connection: 'close' };
    await fetch(`${url}/revocations/bob`, { method: 'PUT', headers });
    expect(await disconnected).toBe('io server disconnect');
    expect(client.active).toBe(false);
  });

  it('a stream ends when its token expires', async () => {
    const { url } = await startServer({ key: secret });
    const headers = await bearer({ subscribe: ['**'], exp: 2 });
    const stream = await openStream(`${url}/topics/**/messages`, headers);
    const { data } = await stream.until(({ event }) => event === 'error');
    expect(data).toMatchObject({ code: 'token_expired' });
    await stream.ended();
  });

  it('a connection continues with a fresh token, which can have more or fewer rights', async () => {
    const { url, server } = await startServer({ key: secret, rules: [{ match: '**', create: 'publish' }] });
    const client = await connect(url, { subscribe: ['a', 'p/1'], exp: 2 });
    const events: string[] = [];
    client.onAny((name: string, argument: { topic?: string; message?: unknown; code?: string }) =>
      events.push([name, argument.topic, argument.code ?? argument.message].join(' ')),
    );
    await client.emitWithAck('subscribe', { topic: 'a' });
    await client.emitWithAck('subscribe', { topic: 'p/*', envelope: true });
    const send = async (): Promise<void> => {
      for (const topic of ['a', 'p/1', 'p/2']) await server.publish(topic, 'm');
    };
    await send();
    const ended = nextEvent(client, 'disconnect', 'the server ends the connection when its token ends');
    expect(await client.emitWithAck('token', 'x')).toMatchObject({
      error: { code: 'bad_request', detail: 'token takes one object such as {"token": "…"}, not a string.' },
    });
    expect(await client.emitWithAck('token', { token: 1 })).toMatchObject({ error: { code: 'bad_request' } });
    expect(await client.emitWithAck('token', { token: 'x' })).toMatchObject({
      error: { code: 'not_authenticated' },
    });
    const stranger = await tokenFor({ sub: 'bob', subscribe: ['**'] });
    expect(await client.emitWithAck('token', { token: stranger })).toMatchObject({
      error: { code: 'not_authorized' },
    });
    const token = await tokenFor({ subscribe: ['p/*'], exp: 4 });
    const { exp } = decodeJwt<{ exp: number }>(token);
    expect(await client.emitWithAck('token', { token })).toEqual({ ok: true, exp });
    await send();
    await ended;
    expect(Date.now() / 1_000).toBeGreaterThanOrEqual(exp - 0.05);
    expect(events).toEqual([
      'a  m',
      'message p/1 m',
      'error a not_authorized',
      'message p/1 m',
      'message p/2 m',
      'error  token_expired',
    ]);
  });

  it('a connection ends within a second when its subject is revoked, and earlier tokens are refused', async () => {
    const { url } = await startServer({ key: secret });
    const claims = { sub: 'a/b *', subscribe: ['**'], publish: ['**'] };
    const old = await bearer({ ...claims, iat: -5 });
    // The clock of the issuer is ahead.
    const early = await bearer({ ...claims, iat: 50 });
    expect((await fetch(`${url}/topics`, { headers: { ...early, connection: 'close' } })).status).toBe(200);
    const clients = await Promise.all(transports.map((transport) => connect(url, claims, transport)));
    const other = await connect(url, { ...claims, sub: 'bob' });
    const stream = await openStream(`${url}/topics/**/messages`, old);
    const revoke = async (headers: Record<string, string>): Promise<Response> =>
      fetch(`${url}/revocations/${encodeURIComponent(claims.sub)}`, {
        method: 'PUT',
        headers: { ...headers, connection: 'close' },
      });
    expect((await revoke(old)).status).toBe(403);
    const told = clients.map((client) => Promise.all([next(client, 'error'), next(client, 'disconnect')]));
    const started = performance.now();
    const response = await revoke(await bearer({ sub: 'root', admin: true }));
    expect(await response.json()).toMatchObject({ subject: claims.sub, ended: 4 });
    for (const [error] of await Promise.all(told)) expect(error).toMatchObject({ code: 'not_authenticated' });
    await stream.ended();
    expect(performance.now() - started).toBeLessThan(1_000);
    expect(other.connected).toBe(true);
    for (const headers of [old, early])
      expect((await fetch(`${url}/topics`, { headers: { ...headers, connection: 'close' } })).status).toBe(
        401,
      );
    await expect(connect(url, { ...claims, iat: -5 })).rejects.toThrow('revoked');
    expect((await connect(url, { ...claims, iat: 30 })).connected).toBe(true);
  });

  it('a connection that does not respond to its close is ended when its subject is revoked', async () => {
    const { url } = await startServer({ key: secret });
    const socket = await connectDeaf(url, JSON.stringify({ token: await tokenFor({ sub: 'bob' }) }));
    const closed = nextEvent(
      socket.resume(),
      'close',
      'the server destroys the connection that does not answer its close',
    );
    const started = performance.now();
    const headers = await bearer({ sub: 'root', admin: true });
    expect((await fetch(`${url}/revocations/bob`, { method: 'PUT', headers })).status).toBe(200);
    await closed;
    // Without this, ws would wait for half a minute.
    expect(performance.now() - started).toBeLessThan(15_000);
  });

  it('a subject stays revoked when its token, from a clock that is ahead, is verified again', async () => {
    let now = Date.now();
    const liveIdentities = new LiveIdentities(() => now);
    const revocations = new Revocations({
      store: new RevocationsInMemory(),
      cluster: new SingleNode(),
      liveIdentities,
      tokenLifetimeMsMax: undefined,
      now: () => now,
    });
    const access = new Access({
      verifier: openVerifier(
        { ...noKeys, key: secret },
        { now: () => now, monotonicMs: () => now, onFailure: () => {}, onWarning: () => {} },
      ),
      rules: new Rules([], defaultRule),
      revocations,
      liveIdentities,
      now: () => now,
    });
    onTestFinished(() => access.close());
    const early = await tokenFor({ sub: 'bob', iat: 50 });
    const admin = await access.authenticate(await tokenFor({ sub: 'root', admin: true }));
    await access.authenticate(early);
    now += 2_000;
    await revocations.revoke(admin, 'bob');
    await revocations.revoke(admin, 'bob');
    now += 2_000;
    // As many later tokens push the verified token out of the cache.
    for (let count = 0; count < 1_000; count++)
      await access.authenticate(await tokenFor({ exp: 600 + count }));
    await expect(access.authenticate(early)).rejects.toThrow('revoked');
    now += 60_000;
    await expect(access.authenticate(early)).rejects.toThrow('revoked');
    expect((await access.authenticate(await tokenFor({ sub: 'bob', iat: 65 }))).identity.subject).toBe('bob');
  });
});

describe('a publish whose body arrives late', () => {
  it.each(['not_authenticated', 'token_expired'] as const)(
    'a publish whose body arrives after its token became invalid is refused with %s',
    async (code) => {
      let now = Date.now();
      const { url } = await startServer({ key: secret, now: () => now });
      const root = await bearer({ sub: 'root', admin: true, exp: 10_000 });
      expect((await fetch(topicUrl(url, 'a'), { method: 'PUT', headers: root })).status).toBe(201);
      const { authorization } = await bearer({ publish: ['a'], exp: 30 });
      // The token is cached then, so the server accepts it in the turn in which the head arrives.
      expect((await publish(url, { topic: 'a' }, { authorization })).status).toBe(400);
      const body = JSON.stringify({ topic: 'a', message: 1 });
      const { socket, ended } = connectRaw(url);
      socket.write(
        `POST /publish HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: ${authorization}\r\n` +
          `Content-Type: application/json\r\nContent-Length: ${body.length}\r\nExpect: 100-continue\r\n\r\n`,
      );
      await within(soonMs, 'the server answers the request', once(socket, 'data'));
      // The step is smaller than what the server treats as a jump of its clock.
      if (code === 'token_expired') now += 50_000;
      else await fetch(`${url}/revocations/ann`, { method: 'PUT', headers: root });
      socket.write(body);
      expect(await ended).toContain(`"code":"${code}"`);
      const { messages } = (await (await fetch(topicUrl(url, 'a'), { headers: root })).json()) as {
        messages: number;
      };
      expect(messages).toBe(0);
    },
  );
});

describe('the publisher of a message', () => {
  it('the publisher of a message is the subject of its token, not a field of the request', async () => {
    const rules = [
      { match: 'told/*', publisher: true, create: 'publish' },
      { match: '**', create: 'publish' },
    ] as const;
    const { url, server } = await startServer({ key: secret, rules });
    const reader = await connect(url, { sub: 'reader', subscribe: ['**'] });
    await reader.emitWithAck('subscribe', { topic: '**', envelope: true });
    const headers = await bearer({ sub: 'ann', publish: ['**'] });
    const forged = { message: 1, publisher: 'root' };
    await publish(url, { topic: 'told/http', ...forged }, headers);
    await publish(url, [{ topic: 'told/array', ...forged }], headers);
    await publish(url, { topic: 'untold', ...forged }, headers);
    const socket = await connect(url, { sub: 'bob "*" é', publish: ['**'] });
    await socket.emitWithAck('publish', { topic: 'told/socket', id: 'i', ...forged });
    const seen: unknown[] = [];
    reader.on('message', ({ topic, publisher }: { topic: string; publisher?: string }) =>
      seen.push([topic, publisher]),
    );
    await server.publish('told/program', 1);
    const replayed = new Promise<void>(
      (resolve) => void reader.on('state', ({ state }: { state: string }) => state === 'live' && resolve()),
    );
    await reader.emitWithAck('subscribe', { topic: '**', envelope: true, from: 'earliest' });
    const expected = [
      ['told/http', 'ann'],
      ['told/array', 'ann'],
      ['untold', undefined],
      ['told/socket', 'bob "*" é'],
      ['told/program', undefined],
    ];
    await within(soonMs, 'the subscription is live', replayed, () => seen);
    expect(seen.slice(-5)).toEqual(expected);
    const page = await fetch(topicUrl(url, '**', '/messages'), {
      headers: { ...(await bearer({ subscribe: ['**'] })), connection: 'close' },
    });
    const { messages } = (await page.json()) as { messages: { topic: string; publisher?: string }[] };
    expect(messages.map(({ topic, publisher }) => [topic, publisher])).toEqual(expected);
    const stream = new StreamReader(`${url}/topics/**/messages`, await bearer({ subscribe: ['**'] }));
    await stream.opened();
    await stream.until(({ data }) => data['topic'] === 'told/program');
    const streamed = stream.events.filter(({ event }) => event === 'message');
    expect(streamed.map(({ data }) => [data['topic'], data['publisher']])).toEqual(expected);
  });
});

describe("a rule's ${sub}", () => {
  it('`${sub}` in a rule is replaced by the subject, whose characters have no special meaning', async () => {
    const rules = [{ match: 'users/${sub}/**', subscribe: true, publish: true, create: 'publish' }] as const;
    const { url } = await startServer({ key: secret, rules });
    const own: readonly (readonly [string, string])[] = [
      ['ann', 'users/ann/x'],
      ['*', 'users/%2A/x'],
      ['**', 'users/%2A%2A/x'],
      ['ann/x', 'users/ann%2Fx/x'],
      ['%2A', 'users/%252A/x'],
      ['$x', 'users/%24x/x'],
      ['${sub}', 'users/%24{sub}/x'],
    ];
    for (const [sub, mine] of own) {
      const headers = await bearer({ sub });
      for (const [, topic] of own) {
        const { status } = await publish(url, { topic, message: 1 }, headers);
        expect([sub, topic, status]).toEqual([sub, topic, topic === mine ? 200 : 403]);
      }
      const client = await connect(url, { sub });
      expect(
        await client.emitWithAck('subscribe', { topic: '**', envelope: true, from: 'earliest' }),
      ).toMatchObject({ replayed: 1 });
    }
  });
});
