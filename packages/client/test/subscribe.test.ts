import { connect, FanfareError, type Envelope, type Gap } from '@fanfare/client';
import type { HistoryPage, TopicInfo } from '@fanfare/protocol';
import { describe, expect, it, onTestFinished } from 'vitest';
import { collect } from '../../../test/waits.ts';
import { freePort } from '../../../bench/src/free-port.ts';
import {
  becomes,
  BreakableNetwork,
  client,
  eventually,
  numbers,
  publish,
  startServer,
  take,
} from './harness.ts';

describe('a subscription', () => {
  it('a subscription hands out what is published, as envelopes, until its loop is left', async () => {
    const { server, url } = await startServer({ memory: true });
    const fanfare = client(url);
    const subscription = fanfare.subscribe('orders/*');
    expect(await subscription.ready).toMatchObject({ isLive: true });
    for (const n of [1, 2, 3]) await server.publish('orders/7', { n }, { id: `id ${n}` });
    expect(await collect('the first two messages come', subscription, { count: 2 })).toEqual([
      { topic: 'orders/7', message: { n: 1 }, id: 'id 1', offset: anyText, time: anyNumber },
      { topic: 'orders/7', message: { n: 2 }, id: 'id 2', offset: anyText, time: anyNumber },
    ]);
    expect(subscription.state).toBe('closed');
    await eventually(() => subscribersOf(url, 'orders/7')).toBe(0);
  });

  it.each([
    ['earliest', [1, 2, 3, 4]],
    ['last', [3, 4]],
    [{ last: 2 }, [2, 3, 4]],
    ['new', [4]],
  ])('a subscription from %j starts there', async (from, expected) => {
    const { server, url } = await startServer({ memory: true });
    const fanfare = client(url);
    await fanfare.subscribe('news').ready;
    for (const n of [1, 2, 3]) await server.publish('news', n);
    const subscription = fanfare.subscribe('news', { from });
    await subscription.ready;
    await server.publish('news', 4);
    expect(await take(subscription[Symbol.asyncIterator](), expected.length)).toEqual(expected);
  });

  it('two subscriptions to one topic each have a position of their own', async () => {
    const { server, url } = await startServer({ memory: true });
    const fanfare = client(url);
    const all = [1, 2, 3].map(() => fanfare.subscribe('news'));
    await Promise.all(all.map(({ ready }) => ready));
    await server.publish('news', 1);
    const late = fanfare.subscribe('news', { from: 'earliest' });
    await late.ready;
    await server.publish('news', 2);
    for (const subscription of [...all, late]) {
      expect(await take(subscription[Symbol.asyncIterator](), 2)).toEqual([1, 2]);
    }
    for (const subscription of [...all, late]) subscription.close();
    await eventually(() => subscribersOf(url, 'news')).toBe(0);
    expect(fanfare.status.state).toBe('live');
  });

  it('an application can have more subscriptions than a connection can', async () => {
    const { server, url } = await startServer({ memory: true });
    const fanfare = client(url);
    const all = numbers(0, 250).map((n) => fanfare.subscribe(`topic ${n}`));
    await Promise.all(all.map(({ ready }) => ready));
    await eventually(() => fanfare.status.state).toBe('live');
    await Promise.all(numbers(0, 250).map((n) => server.publish(`topic ${n}`, n)));
    const got = await Promise.all(all.map((one) => take(one[Symbol.asyncIterator](), 1)));
    expect(got.flat()).toEqual(numbers(0, 250));
  });

  it('overlapping subscriptions get each message once each', async () => {
    const { server, url } = await startServer({ memory: true });
    const fanfare = client(url);
    await fanfare.publish('a/b', 0).catch(() => {});
    const one = fanfare.subscribe('a/b');
    await one.ready;
    for (const n of numbers(0, 500)) await server.publish('a/b', n);
    const two = fanfare.subscribe('a/*', { from: 'earliest' });
    const three = fanfare.subscribe('**', { from: { last: 100 } });
    for (const n of numbers(500, 600)) await server.publish('a/b', n);
    expect(await take(one[Symbol.asyncIterator](), 600)).toEqual(numbers(0, 600));
    expect(await take(two[Symbol.asyncIterator](), 600)).toEqual(numbers(0, 600));
    const last = await take(three[Symbol.asyncIterator](), 100);
    expect(last).toEqual(numbers(last[0] as number, (last[0] as number) + 100));
  });

  it('a subscription reaches the server before a publish that is called after it', async () => {
    const { url } = await startServer({ memory: true });
    const fanfare = client(url);
    await becomes(fanfare, 'live');
    const subscription = fanfare.subscribe('orders/*');
    await fanfare.publish('orders/7', 'tea');
    expect(await take(subscription[Symbol.asyncIterator](), 1)).toEqual(['tea']);
  });

  it('a subscription calls its callback for one message after the other, and waits for its promise', async () => {
    const { server, url } = await startServer({ memory: true });
    const seen: unknown[] = [];
    let release: () => void = () => {};
    const subscription = client(url).subscribe('news', async ({ message }) => {
      seen.push(message);
      if (message === 1) await new Promise<void>((resolve) => (release = resolve));
    });
    const { offset: start } = await subscription.ready;
    const results = [];
    for (const n of [1, 2, 3]) results.push(await server.publish('news', n));
    await eventually(() => seen).toEqual([1]);
    expect(subscription.offset).toBe(start);
    release();
    await eventually(() => seen).toEqual([1, 2, 3]);
    await eventually(() => subscription.offset).toBe(results.at(-1)?.offset);
  });

  it('a subscription ends with the refusal of the server: thrown from the loop, or told to onError', async () => {
    const { url } = await startServer({ memory: true });
    const fanfare = client(url);
    const loop = collect('the subscription is refused', fanfare.subscribe('a/**/b'));
    await expect(loop).rejects.toMatchObject({ code: 'topic_name_invalid', retryable: false });
    const errors: unknown[] = [];
    const subscription = fanfare.subscribe('a/**/b', { onError: (error) => errors.push(error) }, () => {});
    await expect(subscription.ready).rejects.toThrow(FanfareError);
    expect(errors).toEqual([expect.objectContaining({ code: 'topic_name_invalid' })]);
  });

  it('a subscription of a slow application is served from the log, with bounded memory, and misses nothing', async () => {
    const { server, url } = await startServer({ memory: true });
    const fanfare = client(url);
    const gaps: Gap[] = [];
    const slow = fanfare.subscribe('news', { onGap: (gap) => gaps.push(gap) });
    const other = fanfare.subscribe('news', {}, () => {});
    await Promise.all([slow.ready, other.ready]);
    const count = 40_000;
    for (let at = 0; at < count; at += 1_000) {
      const batch = numbers(at, at + 1_000).map((n) => ({ topic: 'news', message: n }));
      await publish(url, batch);
    }
    await eventually(() => slow.state).toBe('catching_up');
    expect(await subscribersOf(url, 'news')).toBe(1);
    expect(await take(slow[Symbol.asyncIterator](), count)).toEqual(numbers(0, count));
    expect(gaps).toEqual([]);
    await eventually(() => slow.state).toBe('live');
    await server.publish('news', 'live');
  });

  it('a subscription waits for a server that is not there yet', async () => {
    const port = await freePort();
    const first = await startServer({ memory: true, port });
    await first.server.stop();
    const fanfare = client(first.url);
    const iterator = fanfare.subscribe('news')[Symbol.asyncIterator]();
    const next = take(iterator, 1);
    await expect
      .poll(() => fanfare.status)
      .toMatchObject({ state: 'connecting', error: expect.any(Error) as Error });
    const { server } = await startServer({ memory: true, port });
    await becomes(fanfare, 'live');
    await server.publish('news', 'at last');
    expect(await next).toEqual(['at last']);
  });
});

describe('a lost connection', () => {
  it('a lost connection is shown, and comes back with everything that was missed', async () => {
    const { server, url } = await startServer({ memory: true });
    const network = await BreakableNetwork.to(url);
    const fanfare = client(network.url);
    const states: string[] = [];
    fanfare.onStatus(({ state }) => states.push(state));
    const gaps: Gap[] = [];
    const subscription = fanfare.subscribe('news', { onGap: (gap) => gaps.push(gap) });
    const iterator = subscription[Symbol.asyncIterator]();
    await subscription.ready;
    let at = 0;
    for (let cut = 0; cut < 3; cut++) {
      for (const n of numbers(at, at + 10)) await server.publish('news', n);
      const before = Date.now();
      network.cut();
      const { since } = await becomes(fanfare, 'lost');
      expect(since).toBeGreaterThanOrEqual(before);
      for (const n of numbers(at + 10, at + 20)) await server.publish('news', n);
      network.mend();
      await becomes(fanfare, 'live');
      expect(await take(iterator, 20)).toEqual(numbers(at, at + 20));
      at += 20;
    }
    expect(gaps).toEqual([]);
    expect(states.filter((state) => state === 'lost')).toHaveLength(3);
  });

  it('a subscription tells of a gap before the next message when the server cannot prove that nothing is missing', async () => {
    const keep = { count: 3 };
    const { server, url } = await startServer({ memory: true, rules: [{ match: 'news', keep }] });
    const network = await BreakableNetwork.to(url);
    const fanfare = client(network.url);
    const told: unknown[] = [];
    const subscription = fanfare.subscribe('news', { onGap: (gap) => told.push(gap) }, ({ message }) =>
      told.push(message),
    );
    await subscription.ready;
    await server.publish('news', 0);
    await eventually(() => told).toEqual([0]);
    network.cut();
    await becomes(fanfare, 'lost');
    for (const n of numbers(1, 10)) await server.publish('news', n);
    await eventually(async () => (await historyOf(url, 'news')).length).toBe(3);
    network.mend();
    await eventually(() => told).toEqual([0, { topic: 'news', reason: 'resume' }, 7, 8, 9]);
  });

  it('a subscription tells of a gap after a lost connection on a topic that keeps nothing', async () => {
    const { server, url } = await startServer({ memory: true, rules: [{ match: 'prices', keep: 'none' }] });
    const network = await BreakableNetwork.to(url);
    const fanfare = client(network.url);
    const told: unknown[] = [];
    await fanfare.subscribe('prices', { onGap: ({ reason }) => told.push(reason) }, ({ message }) =>
      told.push(message),
    ).ready;
    await server.publish('prices', 1);
    await eventually(() => told).toEqual([1]);
    network.cut();
    await becomes(fanfare, 'lost');
    await server.publish('prices', 2);
    network.mend();
    await becomes(fanfare, 'live');
    await server.publish('prices', 3);
    await eventually(() => told).toEqual([1, 'resume', 3]);
  });
});

describe('a position', () => {
  it('a program that stores its position resumes there when it starts again', async () => {
    const { server, url } = await startServer({ memory: true });
    const kept = new Map<string, string>();
    const storage = {
      getItem: (key: string) => kept.get(key) ?? null,
      setItem: (key: string, value: string) => void kept.set(key, value),
    };
    const seen: unknown[] = [];
    let publishes = 0;
    for (const runs of [1, 2, 3]) {
      const fanfare = connect(url);
      onTestFinished(() => fanfare.close());
      const subscription = fanfare.subscribe('news', { from: 'earliest', storage }, ({ message }) => {
        seen.push(message);
      });
      await subscription.ready;
      await server.publish('news', publishes++);
      await eventually(() => seen).toEqual(numbers(0, publishes));
      await eventually(() => kept.get('fanfare:news')).toBe(subscription.offset);
      fanfare.close();
      await server.publish('news', publishes++);
      expect(runs).toBeLessThan(4);
    }
    expect(seen).toEqual(numbers(0, 5));
  });

  it('a stored position moves when a message was handled, and not before', async () => {
    const { server, url } = await startServer({ memory: true });
    const fanfare = client(url);
    const offsets: string[] = [];
    const subscription = fanfare.subscribe('news', { onOffset: (offset) => offsets.push(offset) });
    const { offset: start } = await subscription.ready;
    await server.publish('news', 1);
    await server.publish('news', 2);
    const iterator = subscription[Symbol.asyncIterator]();
    const first = (await iterator.next()) as IteratorResult<Envelope, undefined>;
    expect(offsets).toEqual([start]);
    await iterator.next();
    expect(offsets).toEqual([start, first.value?.offset]);
  });

  it('a position store can be asynchronous, and a failure to read it is told', async () => {
    const { server, url } = await startServer({ memory: true });
    const fanfare = client(url);
    const first = fanfare.subscribe('news');
    await first.ready;
    const { offset = '' } = await server.publish('news', 1);
    await server.publish('news', 2);
    const storage = { getItem: async () => Promise.resolve(offset), setItem: async () => Promise.resolve() };
    expect(await take(fanfare.subscribe('news', { storage })[Symbol.asyncIterator](), 1)).toEqual([2]);
    const broken = { ...storage, getItem: async () => Promise.reject(new Error('no disk')) };
    await expect(fanfare.subscribe('news', { storage: broken }).ready).rejects.toThrow('could not be read');
  });
});

const anyText = expect.any(String) as string;
const anyNumber = expect.any(Number) as number;

async function subscribersOf(url: string, topic: string): Promise<number> {
  const response = await fetch(`${url}/topics/${encodeURIComponent(topic)}`);
  return ((await response.json()) as TopicInfo).subscribers;
}

async function historyOf(url: string, topic: string): Promise<HistoryPage['messages']> {
  const response = await fetch(`${url}/topics/${encodeURIComponent(topic)}/messages`);
  return ((await response.json()) as HistoryPage).messages;
}
