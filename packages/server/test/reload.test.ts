import { createServer as createHttpServer } from 'node:http';
import {
  attach,
  FanfareError,
  resolveSettings,
  type FanfareServer,
  type Reloaded,
  type ServerOptions,
} from '@fanfare/server';
import { describe, expect, it, onTestFinished } from 'vitest';
import { until } from '../../../test/waits.ts';
import { bearer, secret, tokenFor } from './access/tokens.ts';
import { secret as webhookSecret, TestReceiver } from './webhooks/test-receiver.ts';
import { connectClient, connectRaw, publish, Recorder, startServer, strictLogger } from './harness.ts';

type Flags = Readonly<Record<string, unknown>>;

interface Reloadable {
  readonly url: string;
  readonly server: FanfareServer;
  /** What the server has logged. */
  readonly logged: readonly (readonly [level: string, fields: object, message: string])[];
  /** Changes the settings, and reloads them. */
  readonly reload: (flags: Flags) => Promise<Reloaded>;
}

/** A server whose settings can change. */
async function reloadable(flags: Flags, more: ServerOptions = {}): Promise<Reloadable> {
  let now: Flags = { memory: true, port: 0, ...flags };
  const read = (): ReturnType<typeof resolveSettings> => resolveSettings({ flags: now, env: {} });
  const logged: [string, object, string][] = [];
  const log =
    (level: string) =>
    (fields: object, message: string): void =>
      void logged.push([level, fields, message]);
  const logger = { info: log('info'), warn: strictLogger.warn, error: log('error') };
  const { url, server } = await startServer({ ...read(), readSettings: async () => read(), logger, ...more });
  // The line of the start.
  logged.length = 0;
  const reload = (next: Flags): Promise<Reloaded> => {
    now = { ...now, ...next };
    return server.reload();
  };
  return { url, server, logged, reload };
}

async function statusOf(url: string, path: string, init: RequestInit = {}): Promise<number> {
  const response = await fetch(`${url}${path}`, {
    ...init,
    headers: { connection: 'close', ...init.headers },
  });
  await response.text();
  return response.status;
}

const declare = (url: string, topic: string, headers: Record<string, string> = {}): Promise<number> =>
  statusOf(url, `/topics/${encodeURIComponent(topic)}`, { method: 'PUT', headers });

describe('a reload', () => {
  it('a reload changes the limits of open connections, and drops none of them', async () => {
    const { url, reload } = await reloadable({});
    const client = await connectClient(url);
    const recorder = new Recorder(client);
    await client.emitWithAck('subscribe', { topic: 'news' });
    expect(
      await reload({
        publishBytesMax: '1KiB',
        batchMessagesMax: '2',
        batchBytesMax: '2KiB',
        subscriptionsPerConnectionMax: '1',
        publishRatePerConnectionMax: '1',
      }),
    ).toEqual({
      changed: [
        'publishBytesMax',
        'batchBytesMax',
        'batchMessagesMax',
        'subscriptionsPerConnectionMax',
        'publishRatePerConnectionMax',
      ],
      needRestart: [],
    });
    const large = { topic: 'news', message: 'x'.repeat(2_000) };
    expect((await publish(url, large)).status).toBe(413);
    expect(await client.emitWithAck('publish', large)).toMatchObject({
      error: { code: 'payload_too_large' },
    });
    const small = { topic: 'news', message: 1 };
    expect((await publish(url, [small, small, small])).status).toBe(413);
    expect((await publish(url, [{ topic: 'news', message: 'x'.repeat(2_100) }])).status).toBe(413);
    expect(await client.emitWithAck('subscribe', { topic: 'more' })).toMatchObject({
      error: { code: 'limit_exceeded' },
    });
    expect(await client.emitWithAck('publish', small)).toMatchObject({ error: { code: 'rate_limited' } });
    await reload({
      subscriptionsPerConnectionMax: '5',
      publishBytesMax: '1MiB',
      publishRatePerConnectionMax: '0',
    });
    await publish(url, large);
    expect((await recorder.settled(url)).filter(([event]) => event === 'news')).toHaveLength(1);
    expect(client.connected).toBe(true);
  });

  it('a reload limits new connections, counting those that are open', async () => {
    const { url, reload } = await reloadable({});
    const client = await connectClient(url);
    await reload({ connectionsPerAddressMax: '1' });
    await expect(connectClient(url)).rejects.toThrow(/./);
    await reload({ connectionsPerAddressMax: '0', connectionsMax: '1' });
    await expect(connectClient(url)).rejects.toThrow(/./);
    await reload({ connectionsMax: '100' });
    await connectClient(url);
    expect(client.connected).toBe(true);
  });

  it('a reload changes how long requests and logins can take', async () => {
    const { url, reload } = await reloadable({ requestTimeoutMs: '10m', loginTimeoutMs: '10m' });
    await reload({ requestTimeoutMs: '1s', loginTimeoutMs: '100ms' });
    const { socket, ended } = connectRaw(url);
    socket.write(
      'POST /publish HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 5\r\n\r\n1',
    );
    expect(await ended).toMatch(/^HTTP\/1.1 408 /);
    // A session that sends no login.
    const poll = async (query: string): Promise<string> =>
      (await fetch(`${url}/socket.io/?EIO=4&transport=polling${query}`)).text();
    const { sid } = JSON.parse((await poll('')).slice(1)) as { sid: string };
    // The packet that ends a session.
    expect(await poll(`&sid=${sid}`)).toBe('1');
  });

  it('a reload limits the number of topics', async () => {
    const { url, reload } = await reloadable({});
    for (const topic of ['a', 'b', 'c']) expect(await declare(url, topic)).toBe(201);
    await reload({ topicsMax: '3' });
    expect(await declare(url, 'd')).toBe(429);
    await reload({ topicsMax: '4' });
    expect(await declare(url, 'd')).toBe(201);
  });

  it('a reload tells new clients of the size of a packet in their handshake', async () => {
    const { url, reload } = await reloadable({});
    const handshake = async (): Promise<number> => {
      const text = await (await fetch(`${url}/socket.io/?EIO=4&transport=polling`)).text();
      return (JSON.parse(text.slice(1)) as { maxPayload: number }).maxPayload;
    };
    const before = await handshake();
    await reload({ publishBytesMax: '2MiB' });
    expect((await handshake()) - before).toBe(2 * 1_048_576);
    const client = await connectClient(url);
    await client.emitWithAck('subscribe', { topic: 'news' });
    const message = 'x'.repeat(2_000_000);
    expect(await client.emitWithAck('publish', { topic: 'news', message })).toMatchObject({ ok: true });
  });

  it('a reload lists the changes that need a restart, and applies the others', async () => {
    const { url, logged, reload } = await reloadable({});
    const reloaded = await reload({ port: '1', idWindowMs: '1h', topicsMax: '1' });
    expect(reloaded).toEqual({ changed: ['topicsMax'], needRestart: ['port', 'idWindowMs'] });
    expect(logged).toEqual([['info', reloaded, 'The settings were reloaded. Some changes need a restart.']]);
    expect([await declare(url, 'a'), await declare(url, 'b')]).toEqual([201, 429]);
  });

  it('a reload of wrong settings changes nothing, and names every problem', async () => {
    const { url, logged, reload } = await reloadable({ topicsMax: '1' });
    const error: unknown = await reload({ topicsMax: '5', port: 'x', rules: '[{}]' }).catch(
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(FanfareError);
    const problems = [
      '--port must be a whole number from 0 to 65535, not "x".',
      expect.stringContaining('--rules [0] match must be a topic or pattern') as string,
    ];
    expect((error as FanfareError).toProblem()).toMatchObject({
      code: 'settings_invalid',
      status: 422,
      errors: problems.map((detail) => ({ field: 'settings', detail })),
    });
    expect(logged).toEqual([
      ['error', { problems }, 'The settings were not reloaded: the last ones stay in force.'],
    ]);
    expect([await declare(url, 'a'), await declare(url, 'b')]).toEqual([201, 429]);
  });

  it('a reload names web pages of other origins that may connect', async () => {
    const { url, reload } = await reloadable({ origins: 'https://old.example' });
    const ask = async (origin: string): Promise<number> => statusOf(url, '/stats', { headers: { origin } });
    expect([await ask('https://old.example'), await ask('https://new.example')]).toEqual([200, 403]);
    await reload({ origins: 'https://new.example' });
    expect([await ask('https://old.example'), await ask('https://new.example')]).toEqual([403, 200]);
    const polled = await fetch(`${url}/socket.io/?EIO=4&transport=polling`, {
      headers: { origin: 'https://new.example' },
    });
    expect([polled.status, polled.headers.get('access-control-allow-origin')]).toEqual([
      200,
      'https://new.example',
    ]);
  });

  it('reloads at the same time happen one after the other', async () => {
    const { reload } = await reloadable({});
    const [first, second] = await Promise.all([reload({ topicsMax: '7' }), reload({ topicsMax: '8' })]);
    // Both read the settings after both changes.
    expect([first.changed, second.changed]).toEqual([['topicsMax'], []]);
  });
});

describe('a reload of keys', () => {
  const other = 'another secret of more than thirty-two bytes';

  it('a reload replaces the key, and connections stay until their tokens expire', async () => {
    const { url, reload } = await reloadable({ key: secret });
    const headers = await bearer({ publish: ['**'], subscribe: ['**'] });
    const client = await connectClient(url, 'websocket', {
      auth: { token: await tokenFor({ publish: ['**'], subscribe: ['**'] }) },
    });
    await client.emitWithAck('subscribe', { topic: 'news' });
    expect((await publish(url, { topic: 'news', message: 1 }, headers)).status).toBe(200);
    expect(await reload({ key: other })).toEqual({ changed: ['key'], needRestart: [] });
    expect((await publish(url, { topic: 'news', message: 1 }, headers)).status).toBe(401);
    expect(await client.emitWithAck('publish', { topic: 'news', message: 1 })).toMatchObject({ ok: true });
    await reload({ key: secret });
    expect((await publish(url, { topic: 'news', message: 1 }, headers)).status).toBe(200);
  });

  it('a reload with a key that cannot be used changes nothing, and does not quote the key', async () => {
    const { url, logged, reload } = await reloadable({ key: secret, topicsMax: '1' });
    const headers = await bearer({ publish: ['**'] });
    await expect(reload({ key: 'too short', topicsMax: '5' })).rejects.toMatchObject({
      code: 'settings_invalid',
      message: expect.stringMatching(/^The settings were not reloaded. key \(--key\): A secret/) as string,
    });
    expect(JSON.stringify(logged)).not.toContain('too short');
    expect([await declare(url, 'a', headers), await declare(url, 'b', headers)]).toEqual([201, 429]);
  });

  it.each([
    ['off', { key: secret }, { key: '' }, 401],
    ['on', {}, { key: secret }, 200],
  ])('turning tokens %s needs a restart', async (_what, before, after, status) => {
    const { url, reload } = await reloadable(before);
    expect(await reload(after)).toEqual({ changed: [], needRestart: ['key'] });
    expect(await statusOf(url, '/stats')).toBe(status);
  });
});

describe('a reload of rules', () => {
  const inbox = { match: 'inbox/${sub}/*', subscribe: true, create: 'publish' };

  it('a reload ends the subscriptions that a rule no longer allows, and keeps the others', async () => {
    const { url, reload } = await reloadable({
      key: secret,
      rules: JSON.stringify([{ match: 'open/*', subscribe: true }]),
    });
    const client = await connectClient(url, 'websocket', {
      auth: { token: await tokenFor({ subscribe: ['own'] }) },
    });
    const recorder = new Recorder(client);
    for (const topic of ['open/1', 'own'])
      expect(await client.emitWithAck('subscribe', { topic })).toMatchObject({ ok: true });
    await reload({ rules: '[]' });
    await expect
      .poll(() => recorder.events)
      .toEqual([['error', expect.objectContaining({ code: 'not_authorized', topic: 'open/1' })]]);
    expect(await client.emitWithAck('subscribe', { topic: 'open/2' })).toMatchObject({
      error: { code: 'not_authorized' },
    });
    const root = await bearer({ admin: true });
    await publish(url, { topic: 'open/1', message: 1 }, root);
    await publish(url, { topic: 'own', message: 2 }, root);
    await expect.poll(() => recorder.events.length).toBe(2);
    expect(recorder.events[1]).toEqual(['own', { message: 2 }]);
  });

  it('after a reload, no client gets messages for the subject of another', async () => {
    const { url, reload } = await reloadable({ key: secret, rules: '[]' });
    const connect = async (sub: string): Promise<Recorder> => {
      const token = await tokenFor({ sub, subscribe: ['inbox/all/*'] });
      const client = await connectClient(url, 'websocket', { auth: { token } });
      const recorder = new Recorder(client);
      const pattern = { topic: 'inbox/**', envelope: true };
      expect(await client.emitWithAck('subscribe', pattern)).toMatchObject({ ok: true });
      return recorder;
    };
    const [ann, bob] = [await connect('ann'), await connect('bob')];
    await reload({ rules: JSON.stringify([inbox]) });
    const root = await bearer({ admin: true });
    const got = (recorder: Recorder): unknown[] =>
      recorder.events.flatMap(([event, data]) =>
        event === 'message' ? [(data as { topic: string }).topic] : [],
      );
    // The rights of both arrive a few turns later.
    const publishBoth = async (): Promise<void> => {
      for (const sub of ['ann', 'bob']) await publish(url, { topic: `inbox/${sub}/1`, message: 1 }, root);
    };
    await until('both get messages of their own', () => got(ann).length > 0 && got(bob).length > 0, {
      step: publishBoth,
    });
    await declare(url, 'inbox/all/1', root);
    await publish(url, { topic: 'inbox/all/1', message: 'end' }, root);
    await expect.poll(() => [got(ann), got(bob)].every((all) => all.includes('inbox/all/1'))).toBe(true);
    expect([new Set(got(ann)), new Set(got(bob))]).toEqual([
      new Set(['inbox/ann/1', 'inbox/all/1']),
      new Set(['inbox/bob/1', 'inbox/all/1']),
    ]);
  });

  it('a reload changes what topics keep', async () => {
    const { url, reload } = await reloadable({ rules: '[{"match": "**", "keep": "none"}]' });
    await declare(url, 'news');
    expect((await publish(url, { topic: 'news', message: 1 })).status).toBe(200);
    await reload({ rules: '[{"match": "**", "keep": {"count": 2}}]' });
    for (const message of [2, 3, 4]) await publish(url, { topic: 'news', message });
    const page = await (await fetch(`${url}/messages?topic=news&from=earliest`)).json();
    expect(page).toMatchObject({ messages: [{ message: 3 }, { message: 4 }] });
  });
});

describe('POST /reload', () => {
  it('POST /reload needs the right admin, reloads, and answers what has changed', async () => {
    const { url } = await reloadable({ key: secret });
    const reload = (headers: Record<string, string>): Promise<Response> =>
      fetch(`${url}/reload`, { method: 'POST', headers: { connection: 'close', ...headers } });
    expect((await reload({})).status).toBe(401);
    expect((await reload(await bearer({ publish: ['**'], subscribe: ['**'] }))).status).toBe(403);
    const response = await reload(await bearer({ admin: true }));
    expect([response.status, response.headers.get('cache-control'), await response.json()]).toEqual([
      200,
      'no-store',
      { changed: [], needRestart: [] },
    ]);
    expect(await statusOf(url, '/reload')).toBe(405);
  });

  it('POST /reload is not there if the program has nothing to read the settings from', async () => {
    const { url, server } = await startServer({ memory: true });
    expect(await statusOf(url, '/reload', { method: 'POST' })).toBe(404);
    await expect(server.reload()).rejects.toMatchObject({ code: 'not_found' });
  });

  it('an attached Fanfare reloads too', async () => {
    const httpServer = createHttpServer();
    let topicsMax = 1;
    const readSettings = async (): Promise<ReturnType<typeof resolveSettings>> =>
      resolveSettings({ flags: { memory: true, topicsMax: String(topicsMax) }, env: {} });
    const fanfare = await attach(httpServer, { topicsMax, readSettings, logger: strictLogger });
    onTestFinished(() => fanfare.stop());
    topicsMax = 2;
    expect(await fanfare.reload()).toEqual({ changed: ['topicsMax'], needRestart: [] });
  });
});

describe('a reload of rules with webhooks', () => {
  it('a reload that changes webhooks, or which topics they get, applies no rules and says so without the secret', async () => {
    const receiver = await TestReceiver.start();
    const webhook = { url: receiver.url, on: ['message'], secret: webhookSecret };
    const hooked = { match: 'orders/*', create: 'publish', webhook };
    const rules = [{ match: 'orders/secret', create: 'publish' }, hooked, { match: 'other' }];
    const { server, url, reload, logged } = await reloadable({ rules, webhookNetworks: '127.0.0.1' });
    const [earlier, , later] = rules;
    const wrong = [
      [earlier, later],
      [earlier, { ...hooked, webhook: { ...webhook, url: `${receiver.url}&more` } }, later],
      [earlier, { ...hooked, webhook: { ...webhook, on: ['message', 'closed'] } }, later],
      [earlier, { ...hooked, match: 'orders/**' }, later],
      [earlier, hooked, { ...later, webhook }],
      [hooked, earlier, later],
      [hooked, later],
      [{ match: 'orders/7' }, ...rules],
    ].map((some) => some.concat({ match: 'more', create: 'publish' }));
    for (const next of wrong) {
      expect(await reload({ rules: next }), JSON.stringify(next)).toEqual({
        changed: [],
        needRestart: ['rules'],
      });
      expect((await publish(url, { topic: 'more', message: 1 })).status).toBe(404);
    }
    expect(await reload({ rules, webhookNetworks: '127.0.0.2' })).toEqual({
      changed: [],
      needRestart: ['webhookNetworks'],
    });
    await expect(reload({ rules: [{ ...hooked, webhook: { ...webhook, on: [] } }] })).rejects.toThrow(
      /webhook\.on must be/,
    );
    await server.publish('orders/secret', 'not for the receiver');
    await server.publish('orders/7', 1);
    await receiver.accepts(1);
    expect(receiver.messages).toEqual({ 'orders/7': [1] });
    expect(JSON.stringify(logged)).not.toContain(webhookSecret.slice(6, 20));
  });

  it('after a reload of other rules, webhooks go on as before', async () => {
    const receiver = await TestReceiver.start();
    const webhook = { url: receiver.url, on: ['message', 'closed'], secret: webhookSecret };
    const rules = [
      { match: 'orders/secret', create: 'publish' },
      { match: 'orders/*', create: 'publish', webhook },
    ];
    const { server, url, reload } = await reloadable({ rules, webhookNetworks: '127.0.0.1' });
    await server.publish('orders/7', 1);
    await receiver.accepts(1);
    const next = [...rules.map((rule) => Object.assign({ publishBytesMax: 10 }, rule)), { match: 'more' }];
    expect(await reload({ rules: next })).toEqual({ changed: ['rules'], needRestart: [] });
    expect((await publish(url, { topic: 'orders/7', message: 'x'.repeat(20) })).status).toBe(413);
    await server.publish('orders/secret', 2);
    await server.publish('orders/7', 3);
    await receiver.accepts(2);
    await server.delete('orders/7');
    await receiver.accepts(3);
    expect(receiver.accepted.map(({ body: { type, data } }) => [type, data.topic, data.message])).toEqual([
      ['message', 'orders/7', 1],
      ['message', 'orders/7', 3],
      ['closed', 'orders/7', undefined],
    ]);
  });
});
