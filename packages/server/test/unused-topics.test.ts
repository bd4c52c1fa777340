import { createServer as createHttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TopicPage, TopicInfo, SubscriberPage } from '@fanfare/protocol';
import { attach, type ServerOptions } from '@fanfare/server';
import type { Socket } from 'socket.io-client';
import { describe, expect, it, onTestFinished } from 'vitest';
import { nextEvent, startListening, within } from '../../../test/waits.ts';
import { bearer, secret, tokenFor } from './access/tokens.ts';
import { connectClient, publish, Recorder, startServer, transports, type RunningServer } from './harness.ts';
import { openStream, subscribersOf, temporaryDirectory, topicUrl } from './http-tools.ts';
import { tcpOf } from './slow-reader.ts';

const topicsMax = 50;
/** No client of these tests reaches a rate limit. */
const limits = { topicsMax, subscribeRatePerConnectionMax: 0 } as const;
const passing = { match: '**', keep: 'none', create: 'publish' } as const;
const exhausted =
  'Limit of 50 topics reached (`topicsMax`): each is declared, has subscribers or keeps messages. ' +
  'Delete topics, or raise the limit.';

const ok = expect.objectContaining({ ok: true }) as object;

function subscribe(client: Socket, topic: string, more: object = {}): Promise<unknown> {
  return client.emitWithAck('subscribe', { topic, ...more });
}

function leave(client: Socket, topic: string): Promise<unknown> {
  return client.emitWithAck('unsubscribe', { topic });
}

/** Subscribes to names, one after the other, and leaves each at once. */
async function subscribeAndLeave(client: Socket, topics: readonly string[]): Promise<void> {
  for (const topic of topics) {
    expect([topic, await subscribe(client, topic)]).toEqual([topic, ok]);
    await leave(client, topic);
  }
}

function names(count: number, prefix: string): string[] {
  return Array.from({ length: count }, (_, at) => `${prefix}/${at}`);
}

async function declare(url: string, topic: string, headers: Record<string, string> = {}): Promise<number> {
  const response = await fetch(topicUrl(url, topic), {
    method: 'PUT',
    headers: { connection: 'close', ...headers },
  });
  await response.arrayBuffer();
  return response.status;
}

async function listTopics(url: string, headers: Record<string, string> = {}): Promise<string[]> {
  const response = await fetch(`${url}/topics?limit=1000`, { headers: { connection: 'close', ...headers } });
  const { topics } = (await response.json()) as TopicPage;
  return topics.map(({ topic }) => topic);
}

/** A server whose messages are in a directory, and which can be restarted. */
async function startOnDisk(
  options: ServerOptions,
): Promise<RunningServer & { readonly restart: () => Promise<RunningServer> }> {
  const data = await temporaryDirectory();
  const running = await startServer({ ...options, data });
  return {
    ...running,
    restart: async () => {
      await running.server.stop();
      return startServer({ ...options, data });
    },
  };
}

describe('unused names', () => {
  it('a client can subscribe to and leave any number of names, and topics can still be created', async () => {
    const { url, restart } = await startOnDisk(limits);
    const client = await connectClient(url);
    await subscribeAndLeave(client, names(10 * topicsMax, 'reply'));
    expect(await listTopics(url)).toHaveLength(topicsMax);
    expect(await declare(url, 'orders')).toBe(201);
    client.close();
    const again = await restart();
    expect(await listTopics(again.url)).toHaveLength(topicsMax);
    expect(await declare(again.url, 'invoices')).toBe(201);
    const topics = await listTopics(again.url);
    expect(topics).toHaveLength(topicsMax);
    expect(topics).toEqual(expect.arrayContaining(['orders', 'invoices']));
    await subscribeAndLeave(await connectClient(again.url), names(2 * topicsMax, 'later'));
    expect(await listTopics(again.url)).toEqual(expect.arrayContaining(['orders', 'invoices']));
  });

  it('publishes can create any number of names that keep nothing, singly or in one request', async () => {
    const { url } = await startServer({ ...limits, memory: true, rules: [passing] });
    for (const topic of names(2 * topicsMax, 'single'))
      expect((await publish(url, { topic, message: 1 })).status).toBe(200);
    const batch = names(20 * topicsMax, 'many').map((topic) => ({ topic, message: 1 }));
    const { text } = await publish(url, batch);
    expect(JSON.parse(text)).toEqual(batch.map(() => ok));
    expect(await listTopics(url)).toEqual(
      names(20 * topicsMax, 'many')
        .slice(-topicsMax)
        .toSorted(),
    );
    expect(await declare(url, 'orders')).toBe(201);
  });

  it('a subscriber of a pattern gets every message of any number of names', async () => {
    const rules = [{ match: 'x/**', keep: 'none' } as const];
    const { url } = await startOnDisk({ ...limits, rules });
    const client = await connectClient(url);
    const recorder = new Recorder(client);
    await subscribe(client, 'x/**');
    const all = names(4 * topicsMax, 'x');
    for (const topic of all) expect((await publish(url, { topic, message: 1 })).status).toBe(200);
    expect((await recorder.settled(url)).map(([event]) => event)).toEqual(all);
  });

  it('a new topic replaces one that kept messages only after they were dropped', async () => {
    const rules = [{ match: '**', keep: { age: '20s' }, create: 'publish' } as const];
    let passedMs = 0;
    const now = (): number => Date.now() + passedMs;
    const { url } = await startServer({ ...limits, memory: true, rules, now });
    for (const topic of names(topicsMax, 'kept'))
      expect((await publish(url, { topic, message: 1 })).status).toBe(200);
    const early = await publish(url, { topic: 'early', message: 1 });
    expect(early.status).toBe(429);
    passedMs = 30_000;
    // Messages are dropped within seconds after their age limit.
    await expect.poll(() => declare(url, 'late'), { timeout: 20_000 }).toBe(201);
    expect((await publish(url, { topic: 'kept/new', message: 1 })).status).toBe(200);
  });

  it('a new topic is refused with the limit and its setting while all topics are in use', async () => {
    const { url } = await startServer({ ...limits, memory: true, rules: [{ ...passing, match: 'made/*' }] });
    const client = await connectClient(url);
    for (const topic of names(topicsMax - 2, 'used')) expect(await subscribe(client, topic)).toEqual(ok);
    expect(await declare(url, 'declared')).toBe(201);
    await subscribe(client, 'kept');
    await publish(url, { topic: 'kept', message: 1 });
    await leave(client, 'kept');
    const refusal = { code: 'limit_exceeded', status: 429, retryable: true, detail: exhausted };
    expect(await subscribe(client, 'one too many')).toMatchObject({ ok: false, error: refusal });
    expect(JSON.parse((await publish(url, { topic: 'made/1', message: 1 })).text)).toMatchObject(refusal);
    expect(await declare(url, 'one too many')).toBe(429);
    await leave(client, 'used/7');
    expect(await subscribe(client, 'one more')).toEqual(ok);
    const topics = await listTopics(url);
    expect(topics).toEqual(expect.arrayContaining(['declared', 'kept', 'one more', 'used/6', 'used/8']));
    expect(topics).not.toContain('used/7');
  });
});

describe('the order of unused names', () => {
  it.each([
    ['the name that was left first', async () => {}, 'b'],
    [
      'no name that was published to since',
      async (url: string) => publish(url, { topic: 'b', message: 1 }),
      'a',
    ],
    ['no name that was read since', async (url: string) => fetch(`${url}/topics/b/messages`), 'a'],
    ['no name that has a subscriber again', async (_: string, client: Socket) => subscribe(client, 'b'), 'a'],
    [
      'no name that was subscribed to again, and left',
      async (_: string, client: Socket) => subscribeAndLeave(client, ['b']),
      'a',
    ],
  ] as const)('a new topic replaces %s', async (_, use, forgotten) => {
    const rules = [{ match: '**', keep: 'none' } as const];
    const { url } = await startServer({ ...limits, topicsMax: 3, memory: true, rules });
    const client = await connectClient(url);
    for (const topic of ['a', 'b', 'c']) await subscribe(client, topic);
    for (const topic of ['b', 'a', 'c']) await leave(client, topic);
    await use(url, client);
    expect(await subscribe(client, 'd')).toEqual(ok);
    expect(await listTopics(url)).toEqual(['a', 'b', 'c', 'd'].filter((topic) => topic !== forgotten));
  });

  it('a client that lost its connection does not use its topics any more', async () => {
    const { url } = await startServer({ ...limits, topicsMax: 3, memory: true });
    const [first, second, third] = [
      await connectClient(url),
      await connectClient(url),
      await connectClient(url),
    ];
    await subscribe(second, 'b');
    await subscribe(first, 'a');
    await subscribe(third, 'c');
    first.io.engine.close();
    await expect.poll(() => subscribersOf(url, 'a')).toBe(0);
    second.io.engine.close();
    await expect.poll(() => subscribersOf(url, 'b')).toBe(0);
    expect(await subscribe(third, 'd')).toEqual(ok);
    expect(await listTopics(url)).toEqual(['b', 'c', 'd']);
  });

  it('after a restart, names are replaced in the order of their creation or last message', async () => {
    const rules = [{ match: 'b', keep: { age: '1s' } } as const];
    const { url, restart } = await startOnDisk({ ...limits, topicsMax: 3, rules });
    const client = await connectClient(url);
    await subscribeAndLeave(client, ['b', 'a', 'c']);
    await publish(url, { topic: 'b', message: 1 });
    await expect
      .poll(async () => ((await (await fetch(topicUrl(url, 'b'))).json()) as TopicInfo).messages, {
        timeout: 20_000,
      })
      .toBe(0);
    client.close();
    const again = await restart();
    const other = await connectClient(again.url);
    await subscribe(other, 'd');
    expect(await listTopics(again.url)).toEqual(['b', 'c', 'd']);
    await subscribe(other, 'e');
    expect(await listTopics(again.url)).toEqual(['b', 'd', 'e']);
  });
});

describe('topics in use', () => {
  it.each(transports)(
    'a subscribed topic stays while others create and leave names without end, over %s',
    async (transport) => {
      const { url } = await startOnDisk({ ...limits, topicsMax: 12 });
      const churning = await Promise.all(
        Array.from({ length: 4 }, async () => connectClient(url, transport)),
      );
      const users = await Promise.all(Array.from({ length: 3 }, async () => connectClient(url, transport)));
      const over = new AbortController();
      const churn = churning.map(async (client, who) => {
        for (let at = 0; !over.signal.aborted; at++) await subscribeAndLeave(client, [`churn ${who} ${at}`]);
      });
      const use = users.map(async (client, who) => {
        for (let round = 0; round < 30; round++) {
          // These names come again: they exist, were forgotten, or are about to be forgotten.
          const topic = `user ${who} ${round % 4}`;
          const delivered = nextEvent(client, topic, 'the subscriber gets the message');
          expect([topic, await subscribe(client, topic)]).toEqual([topic, ok]);
          expect([topic, (await publish(url, { topic, message: round })).status]).toEqual([topic, 200]);
          expect(await delivered).toEqual({ message: round });
          await leave(client, topic);
          await fetch(topicUrl(url, topic), { method: 'DELETE' });
        }
      });
      await Promise.all(use).finally(() => over.abort());
      await Promise.all(churn);
    },
  );

  it('a new topic stays between its creation and its subscription', async () => {
    const { url } = await startOnDisk({ ...limits, topicsMax: 8 });
    const clients = await Promise.all(Array.from({ length: 12 }, async () => connectClient(url)));
    for (let round = 0; round < 20; round++) {
      // All at once: eight fit, and the others must not replace topics before their subscriptions begin.
      const answers = await Promise.all(
        clients.map((client, at) => subscribe(client, `round ${round}/${at}`) as Promise<{ ok: boolean }>),
      );
      expect(answers.filter((answer) => answer.ok)).toHaveLength(8);
      for (const [at, client] of clients.entries()) {
        const topic = `round ${round}/${at}`;
        const delivered = nextEvent(client, topic, 'the subscriber gets the message');
        const { status } = await publish(url, { topic, message: round });
        expect([topic, status]).toEqual([topic, answers[at]?.ok ? 200 : 404]);
        if (answers[at]?.ok) expect(await delivered).toEqual({ message: round });
      }
      // Topics with messages could not be replaced.
      await Promise.all(
        clients.map(async (_, at) => fetch(topicUrl(url, `round ${round}/${at}`), { method: 'DELETE' })),
      );
      await Promise.all(clients.map((client, at) => leave(client, `round ${round}/${at}`)));
      await subscribeAndLeave(clients[0] as Socket, names(8, 'unused'));
    }
  });

  it('a topic stays until its last stream of Server-Sent Events ends', async () => {
    const rules = [{ match: '**', keep: 'none' } as const];
    const { url } = await startServer({ ...limits, memory: true, rules });
    const client = await connectClient(url);
    await subscribe(client, 'streamed');
    const stream = await openStream(topicUrl(url, 'streamed', '/messages'));
    await leave(client, 'streamed');
    await subscribeAndLeave(client, names(3 * topicsMax, 'reply'));
    expect((await publish(url, { topic: 'streamed', message: 1 })).status).toBe(200);
    await stream.until(({ data }) => data['message'] === 1);
    stream.close();
    await expect.poll(() => subscribersOf(url, 'streamed')).toBe(0);
    await subscribeAndLeave(client, names(topicsMax, 'later'));
    expect(await listTopics(url)).not.toContain('streamed');
  });

  it('a topic stays while its only subscriber is too slow to be live', async () => {
    const rules = [{ match: '**', keep: 'none' } as const];
    const { url } = await startServer({ ...limits, memory: true, outboxBytesMax: 1, rules });
    const [slow, other] = [await connectClient(url), await connectClient(url)];
    await subscribe(slow, 'slow', { envelope: true });
    tcpOf(slow).pause();
    const isLive = async (): Promise<unknown> => {
      const response = await fetch(topicUrl(url, 'slow', '/subscribers'));
      const { subscribers } = (await response.json()) as SubscriberPage;
      return subscribers[0]?.state;
    };
    for (let at = 0; at < 400 && (await isLive()) === 'live'; at++)
      await publish(url, { topic: 'slow', message: 'x'.repeat(100_000) });
    expect(await isLive()).toBe('catching_up');
    await subscribeAndLeave(other, names(2 * topicsMax, 'reply'));
    const last = new Promise((resolve) => {
      slow.on('message', ({ message }: { message: unknown }) => message === 'last' && resolve(message));
    });
    const lastComes = within(60_000, 'the last message comes', last);
    tcpOf(slow).resume();
    await expect.poll(isLive).toBe('live');
    expect((await publish(url, { topic: 'slow', message: 'last' })).status).toBe(200);
    await lastComes;
  });

  it('a subscribed topic stays on the server of an app that publishes without a token', async () => {
    const httpServer = createHttpServer((_, response) => response.end());
    const rules = [{ match: 'app/*', keep: 'none', create: 'publish' } as const];
    const fanfare = await attach(httpServer, { ...limits, key: secret, http: 'topics', rules });
    onTestFinished(() => fanfare.stop());
    await startListening(httpServer);
    onTestFinished(() => void httpServer.close());
    const url = `http://localhost:${(httpServer.address() as AddressInfo).port}`;
    const token = await tokenFor({ subscribe: ['**'] });
    const client = await connectClient(url, 'websocket', { auth: { token } });
    const recorder = new Recorder(client);
    await subscribe(client, 'app/used');
    for (const topic of names(3 * topicsMax, 'app')) await fanfare.publish(topic, 1);
    await fanfare.publish('app/used', 2);
    await expect.poll(() => recorder.events).toEqual([['app/used', { message: 2 }]]);
    expect(await declare(url, 'declared', await bearer({ admin: true }))).toBe(201);
  });
});

describe('the ids of forgotten topics', () => {
  it('a publish with an id is stored once, even when its topic is forgotten before the retry', async () => {
    const { url } = await startOnDisk({ ...limits, rules: [passing] });
    const send = async (message: unknown): Promise<Record<string, unknown>> => {
      const headers = { accept: 'application/json' };
      const { text } = await publish(url, { topic: 'once', message, id: 'i' }, headers);
      return JSON.parse(text) as Record<string, unknown>;
    };
    const first = await send(1);
    expect(first).toMatchObject({ ok: true });
    const batch = names(2 * topicsMax, 'other').map((topic) => ({ topic, message: 1 }));
    await publish(url, batch);
    expect(await listTopics(url)).not.toContain('once');
    expect(await send(1)).toEqual({ ...first, duplicate: true });
    expect(await send(2)).toMatchObject({ code: 'id_conflict' });
    expect(await listTopics(url)).not.toContain('once');
  });
});

describe('unused names with tokens', () => {
  const own = topicsMax / 10;

  async function connectAs(url: string, sub: string, more: object = {}): Promise<Socket> {
    const token = await tokenFor({ sub, subscribe: ['**'], ...more });
    return connectClient(url, 'websocket', { auth: { token } });
  }

  it('a client that can only subscribe cannot replace the topics of other subjects', async () => {
    const { url, restart } = await startOnDisk({ ...limits, key: secret });
    const admin = await bearer({ sub: 'root', admin: true });
    const [ann, bob] = [await connectAs(url, 'ann'), await connectAs(url, 'bob')];
    await subscribeAndLeave(bob, names(own, 'bob'));
    await subscribeAndLeave(ann, names(10 * topicsMax, 'ann'));
    // Names over the limit are forgotten within a second.
    const left = [...names(10 * topicsMax, 'ann').slice(-own), ...names(own, 'bob')];
    await expect.poll(() => listTopics(url, admin)).toEqual(left);
    expect(await declare(url, 'orders', admin)).toBe(201);
    expect(await subscribe(bob, 'another')).toEqual(ok);
    ann.close();
    bob.close();
    const again = await restart();
    expect(await declare(again.url, 'invoices', admin)).toBe(201);
    expect(await listTopics(again.url, admin)).toEqual(expect.arrayContaining(['orders', 'invoices']));
  });

  it('a subject that leaves more names than its limit keeps the newest ones, and all that are in use', async () => {
    const rules = [{ match: '**', create: 'publish', publish: true } as const];
    const { url } = await startServer({
      ...limits,
      memory: true,
      key: secret,
      unusedTopicsPerSubjectMax: 2,
      rules,
    });
    const admin = await bearer({ sub: 'root', admin: true });
    const ann = await connectAs(url, 'ann');
    const bob = await connectAs(url, 'bob');
    const topics = names(8, 'ann');
    for (const topic of topics) await subscribe(ann, topic);
    expect(await listTopics(url, admin)).toEqual(topics);
    await publish(url, { topic: 'ann/0', message: 1 }, await bearer({ sub: 'ann' }));
    expect(await declare(url, 'ann/1', admin)).toBe(200);
    await subscribe(bob, 'ann/2');
    for (const topic of topics.toReversed()) await leave(ann, topic);
    const used = ['ann/0', 'ann/1', 'ann/2'];
    await expect.poll(() => listTopics(url, admin)).toEqual([...used, 'ann/3', 'ann/4']);
    await leave(bob, 'ann/2');
    await expect.poll(() => listTopics(url, admin)).toEqual([...used, 'ann/3']);
  });

  it('a subject that publishes to new names loses its own oldest ones, even as an administrator', async () => {
    const { url } = await startServer({ ...limits, memory: true, key: secret, rules: [passing] });
    const admin = await bearer({ sub: 'root', admin: true });
    await subscribeAndLeave(await connectAs(url, 'bob'), names(own, 'bob'));
    const batch = names(4 * own, 'root').map((topic) => ({ topic, message: 1 }));
    expect(JSON.parse((await publish(url, batch, admin)).text)).toEqual(batch.map(() => ok));
    await expect
      .poll(() => listTopics(url, admin))
      .toEqual([
        ...names(own, 'bob'),
        ...names(4 * own, 'root')
          .slice(-own)
          .toSorted(),
      ]);
  });

  it('no name is refused when many subjects hold as many names as allowed', async () => {
    const { url } = await startServer({ ...limits, memory: true, key: secret });
    const admin = await bearer({ sub: 'root', admin: true });
    for (let who = 0; who < 15; who++)
      await subscribeAndLeave(await connectAs(url, `subject ${who}`), names(own, `subject ${who}`));
    expect(await listTopics(url, admin)).toHaveLength(topicsMax);
    expect(await declare(url, 'orders', admin)).toBe(201);
  });

  it('clients without tokens share all topics of an open server', async () => {
    const { url } = await startServer({ ...limits, memory: true, unusedTopicsPerSubjectMax: 1 });
    await subscribeAndLeave(await connectClient(url), names(topicsMax, 'reply'));
    await publish(url, { topic: 'reply/0', message: 1 });
    expect(await listTopics(url)).toHaveLength(topicsMax);
  });
});
