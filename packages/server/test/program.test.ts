import { createServer as createHttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ConnectionPage } from '@fanfare/protocol';
import { attach, createServer, type Envelope, type FanfareServer, type Gap } from '@fanfare/server';
import { describe, expect, it, onTestFinished } from 'vitest';
import { collect, nextEvent, startListening, within } from '../../../test/waits.ts';
import { bearer, secret } from './access/tokens.ts';
import { connectClient, publish, Recorder, startServer, strictLogger } from './harness.ts';

async function take(messages: AsyncIterable<Envelope>, count: number): Promise<unknown[]> {
  const envelopes = await collect(`${count} messages come`, messages, { count });
  return envelopes.map(({ message }) => message);
}

const all = (messages: AsyncIterable<Envelope>): Promise<unknown[]> => take(messages, Infinity);

describe('the program that embeds Fanfare', () => {
  it('the embedding program creates a topic by publishing only if it says so', async () => {
    const { server, url } = await startServer();
    await expect(server.publish('news', 1)).rejects.toMatchObject({ code: 'topic_not_found' });
    expect(await server.publish('news', 1, { create: true })).toMatchObject({ ok: true, topic: 'news' });
    expect(await server.publish('news', 1, { create: true, id: 'a' })).toMatchObject({ id: 'a' });
    expect(await server.publish('news', 1, { create: true, id: 'a' })).toMatchObject({ duplicate: true });
    await expect(server.publish('$news', 1, { create: true })).rejects.toMatchObject({
      code: 'topic_name_invalid',
    });
    // This option is only for the program, not for clients.
    const body = { topic: 'other', message: 1, create: true };
    expect((await publish(url, body)).status).toBe(404);
    const client = await connectClient(url);
    expect(await client.emitWithAck('publish', body)).toMatchObject({ error: { code: 'topic_not_found' } });
  });

  it('the embedding program gets an error when there are too many topics', async () => {
    const { server } = await startServer({ topicsMax: 1 });
    await server.declare('news');
    await expect(server.publish('other', 1, { create: true })).rejects.toMatchObject({
      code: 'limit_exceeded',
    });
  });

  it('the embedding program can declare and delete topics', async () => {
    const { server, url } = await startServer();
    expect(await server.declare('news')).toMatchObject({ isNew: true, topic: 'news', messages: 0 });
    expect(await server.declare('news')).toMatchObject({ isNew: false, topic: 'news' });
    expect((await fetch(`${url}/topics/news`)).status).toBe(200);
    await server.delete('news');
    expect((await fetch(`${url}/topics/news`)).status).toBe(404);
    await expect(server.delete('news')).rejects.toMatchObject({ code: 'topic_not_found' });
    await expect(server.declare('orders/*')).rejects.toMatchObject({ code: 'topic_name_invalid' });
  });

  it('the embedding program reads stored messages page by page, from any position', async () => {
    const { server, url } = await startServer();
    await server.declare('a/1');
    await server.declare('a/2');
    const lines = Array.from({ length: 2_500 }, (_, message) =>
      JSON.stringify({ topic: message % 2 ? 'a/1' : 'a/2', message }),
    );
    await publish(url, lines.join('\n'), { 'content-type': 'application/x-ndjson' });
    const numbers = lines.map((_, number) => number);
    expect(await all(server.history('a/*'))).toEqual(numbers);
    expect(await all(server.history('a/*', { from: { last: 2 } }))).toEqual([2496, 2497, 2498, 2499]);
    expect(await all(server.history('a/1', { from: 'earliest', limit: 2 }))).toEqual([1, 3]);
    const [first] = await collect('the history ends', server.history('a/1', { limit: 1 }));
    expect(first).toMatchObject({ topic: 'a/1', message: 1, offset: expect.any(String) as string });
    expect(await take(server.history('a/1', { from: String(first?.offset) }), 1)).toEqual([3]);
    await expect(all(server.history('nobody'))).rejects.toMatchObject({ code: 'topic_not_found' });
    await expect(all(server.history('a/1', { from: { last: -1 } }))).rejects.toMatchObject({
      code: 'bad_request',
    });
  });

  it('the embedding program subscribes with a loop, from the past to live, and ends the subscription by leaving the loop', async () => {
    const { server, url } = await startServer();
    await server.publish('orders/1', 1, { create: true });
    const subscription = server.subscribe('orders/*', { from: 'earliest' });
    expect(await subscription.ready).toMatchObject({ ok: true, topic: 'orders/*', replayed: 1 });
    await server.publish('orders/2', 2, { create: true });
    expect(await take(subscription, 2)).toEqual([1, 2]);
    const stats = await server.stats();
    expect(stats).toMatchObject({ subscriptions: 0, connections: 0, publishes: 2, deliveries: 2 });
    expect(await (await fetch(`${url}/stats`)).json()).toMatchObject({
      version: stats.version,
      publishes: 2,
    });
  });

  it('the embedding program subscribes with a callback, which is called for one message after the other', async () => {
    const { server } = await startServer();
    const seen: unknown[] = [];
    let isBusy = false;
    const subscription = server.subscribe('news', async ({ message }) => {
      expect(isBusy).toBe(false);
      isBusy = true;
      await Promise.resolve();
      isBusy = false;
      seen.push(message);
    });
    await subscription.ready;
    for (let number = 0; number < 10; number++) await server.publish('news', number);
    await expect.poll(() => seen).toHaveLength(10);
    expect(seen).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    subscription.close();
    await server.publish('news', 10);
    expect((await server.stats()).subscriptions).toBe(0);
    const refused = new Promise((resolve) =>
      server.subscribe('$news', { onError: resolve }, () => expect.unreachable()),
    );
    expect(await refused).toMatchObject({ code: 'topic_name_invalid' });
  });

  it('the embedding program misses nothing when it reads slowly, and at most `outboxBytesMax` wait for it', async () => {
    const { server } = await startServer({ outboxBytesMax: 65_536 });
    const subscription = server.subscribe('news');
    await subscription.ready;
    const text = 'x'.repeat(10_000);
    for (let number = 0; number < 50; number++) await server.publish('news', `${number} ${text}`);
    expect((await server.stats()).bytesWaiting).toBeLessThanOrEqual(65_536);
    const seen = await take(subscription, 50);
    expect(seen.map((message) => Number(String(message).split(' ')[0]))).toEqual(
      Array.from({ length: 50 }, (_, number) => number),
    );
  });

  it('the embedding program is notified of missing messages', async () => {
    const { server } = await startServer({ rules: [{ match: 'n/*', keep: 'none' }], outboxBytesMax: 65_536 });
    const gaps: Gap[] = [];
    const subscription = server.subscribe('n/1', { onGap: (gap) => gaps.push(gap) });
    await subscription.ready;
    for (let number = 0; number < 20; number++) await server.publish('n/1', 'x'.repeat(10_000));
    let count = 0;
    const readToLast = async (): Promise<void> => {
      for await (const { message } of subscription) {
        count++;
        if (message === 'last') break;
        if (count === 1) {
          // After the loop has read all waiting messages.
          void (async () => {
            await expect.poll(() => gaps.length).toBe(1);
            await server.publish('n/1', 'last');
          })();
        }
      }
    };
    await within(60_000, 'the last message comes', readToLast, () => ({ count, gaps }));
    expect(gaps).toEqual([{ topic: 'n/1', dropped: 20 - (count - 1), reason: 'dropped' }]);
    const late = server.subscribe('n/1', { from: 'AAAAAAAAAAA.1', onGap: (gap) => gaps.push(gap) });
    await late.ready;
    await server.publish('n/1', 'x');
    await take(late, 1);
    expect(gaps[1]).toEqual({ topic: 'n/1', reason: 'start' });
  });

  it('a subscription of the embedding program is a connection that operators can see and end', async () => {
    const { server, url } = await startServer();
    const loop = all(server.subscribe('news'));
    const connections = async (): Promise<ConnectionPage['connections']> => {
      const answer = await fetch(`${url}/connections`, { headers: { connection: 'close' } });
      return ((await answer.json()) as ConnectionPage).connections;
    };
    await expect.poll(connections).toMatchObject([{ transport: 'program', address: '', subscriptions: 1 }]);
    const [{ id } = { id: '' }] = await connections();
    await fetch(`${url}/connections/${id}`, { method: 'DELETE' });
    expect(await loop).toEqual([]);
  });

  it("the embedding program can publish and read everything, whatever clients' tokens allow, and can revoke tokens", async () => {
    const { server, url } = await startServer({ key: secret });
    await server.publish('secret', 1, { create: true });
    expect(await take(server.subscribe('**', { from: 'earliest' }), 1)).toEqual([1]);
    const { authorization } = await bearer({ sub: 'ann', subscribe: ['a'] });
    const client = await connectClient(url, 'websocket', { extraHeaders: { authorization } });
    const recorder = new Recorder(client);
    const gone = nextEvent(client, 'disconnect', 'the program ends the connection');
    expect(await server.revoke('ann')).toMatchObject({ subject: 'ann', ended: 1 });
    await gone;
    expect(recorder.events).toMatchObject([['error', { code: 'not_authenticated' }]]);
    expect((await fetch(`${url}/topics`, { headers: { authorization } })).status).toBe(401);
    await expect(server.revoke('')).rejects.toMatchObject({ code: 'bad_request' });
  });

  it('the embedding program cannot revoke tokens on an open server', async () => {
    const { server } = await startServer();
    await expect(server.revoke('ann')).rejects.toMatchObject({ code: 'not_found' });
  });

  it('the embedding program gets all acknowledged messages when the server stops, and its loops end', async () => {
    const { server } = await startServer();
    const subscription = server.subscribe('news');
    await subscription.ready;
    const published = [1, 2, 3].map((message) => server.publish('news', message));
    const stopped = server.stop();
    await Promise.all(published);
    expect(await all(subscription)).toEqual([1, 2, 3]);
    await stopped;
    await refusesAll(server, 'draining');
  });

  it('calls of the embedding program are refused before the server starts', async () => {
    await refusesAll(createServer({ logger: strictLogger }), 'draining');
  });

  it('the embedding program has the same methods when Fanfare is attached to an app', async () => {
    const http = createHttpServer();
    const fanfare = await attach(http, { logger: strictLogger });
    await startListening(http);
    onTestFinished(async () => {
      await fanfare.stop();
      http.close();
    });
    const client = await connectClient(`http://localhost:${(http.address() as AddressInfo).port}`);
    await client.emitWithAck('subscribe', { topic: 'a' });
    const subscription = fanfare.subscribe('a');
    await subscription.ready;
    await client.emitWithAck('publish', { topic: 'a', message: 'from a client' });
    expect(await take(subscription, 1)).toEqual(['from a client']);
    expect(await all(fanfare.history('a'))).toEqual(['from a client']);
    expect(await fanfare.stats()).toMatchObject({ connections: 1 });
  });
});

async function refusesAll(server: FanfareServer, code: string): Promise<void> {
  for (const refused of [
    server.publish('news', 1, { create: true }),
    server.declare('news'),
    server.delete('news'),
    all(server.history('news')),
    server.subscribe('news').ready,
    all(server.subscribe('news')),
    server.stats(),
  ])
    await expect(refused).rejects.toMatchObject({ code });
}
