import { connect, FanfareError } from '@fanfare/client';
import { describe, expect, it, onTestFinished } from 'vitest';
import { collect } from '../../../test/waits.ts';
import { CuttingProxy } from '../../../bench/src/continuity/cutting-proxy.ts';
import { freePort } from '../../../bench/src/free-port.ts';
import { becomes, BreakableNetwork, client, numbers, startServer, take } from './harness.ts';

describe('publish', () => {
  it('publish resolves to what the server says, with an id of its own', async () => {
    const { url } = await startServer({ memory: true });
    const fanfare = client(url);
    await fanfare.subscribe('news').ready;
    const first = await fanfare.publish('news', { a: 1 });
    expect(first).toMatchObject({ topic: 'news', stored: 'memory', offset: expect.any(String) as string });
    expect(await fanfare.publish('news', { a: 1 }, { id: first.id })).toMatchObject({
      duplicate: true,
      offset: first.offset,
    });
    await expect(fanfare.publish('news', 2, { id: first.id })).rejects.toMatchObject({ code: 'id_conflict' });
    await expect(fanfare.publish('nobody', 1)).rejects.toMatchObject({
      code: 'topic_not_found',
      retryable: true,
    });
    await expect(fanfare.publish('news', undefined)).rejects.toThrow(TypeError);
  });

  it('publishes happen once and in order over lost connections, whatever was answered', async () => {
    const { url } = await startServer({ memory: true });
    const network = await BreakableNetwork.to(url);
    const fanfare = client(network.url);
    const reader = client(url).subscribe('news');
    await reader.ready;
    const results: Promise<unknown>[] = [];
    for (const n of numbers(0, 400)) {
      results.push(fanfare.publish('news', n));
      if (n % 100 === 50) {
        // Some have arrived and some not, and of those that have, some were answered.
        await results[n - 5];
        network.cut();
        await becomes(fanfare, 'lost');
        network.mend();
      }
    }
    await Promise.all(results);
    expect(await take(reader[Symbol.asyncIterator](), 400)).toEqual(numbers(0, 400));
  });

  it('publishes happen though very many waited for the server, and there is no websocket', async () => {
    const port = await freePort();
    const { server } = await startServer({ memory: true, port });
    const proxy = await CuttingProxy.to(port);
    onTestFinished(() => proxy.close());
    proxy.refusesUpgrades = true;
    const fanfare = client(`http://127.0.0.1:${proxy.port}`);
    const reader = fanfare.subscribe('news');
    await reader.ready;
    await server.stop();
    const results = numbers(0, 10_000).map((n) => fanfare.publish('news', n));
    await startServer({ memory: true, port });
    await Promise.all(results);
    expect(await take(reader[Symbol.asyncIterator](), 10_000)).toEqual(numbers(0, 10_000));
  });

  it('publish sends the message as it was when publish was called', async () => {
    const port = await freePort();
    const { server, url } = await startServer({ memory: true, port });
    await server.stop();
    const fanfare = client(url);
    const message = { n: 1 };
    const result = fanfare.publish('news', message);
    message.n = 2;
    await startServer({ memory: true, port, rules: [{ match: '**', create: 'publish' }] });
    await result;
    const reader = fanfare.subscribe('news', { from: 'earliest' })[Symbol.asyncIterator]();
    expect(await take(reader, 1)).toEqual([{ n: 1 }]);
  });

  it('publish is rejected when too many wait, when one has waited too long, and when the client is closed', async () => {
    const { server, url } = await startServer({ memory: true });
    await server.stop();
    const fanfare = connect(url, { publishesMax: 2, publishTimeoutMs: 200 });
    onTestFinished(() => fanfare.close());
    const waiting = [fanfare.publish('news', 1), fanfare.publish('news', 2)];
    await expect(fanfare.publish('news', 3)).rejects.toMatchObject({ code: 'queue_full', retryable: true });
    for (const one of waiting) await expect(one).rejects.toMatchObject({ code: 'not_answered' });
    const last = fanfare.publish('news', 4);
    fanfare.close();
    await expect(last).rejects.toMatchObject({ code: 'closed' });
    await expect(fanfare.publish('news', 5)).rejects.toThrow(FanfareError);
  });

  it('a publish over the rate limit is rejected with the time after which it can be sent again', async () => {
    const rules = [{ match: '**', create: 'publish' }] as const;
    const { url } = await startServer({ memory: true, rules, publishRatePerConnectionMax: 1 });
    const fanfare = client(url);
    await fanfare.publish('news', 1);
    const error = await fanfare.publish('news', 2).catch((reason: unknown) => reason as FanfareError);
    expect(error).toMatchObject({ code: 'rate_limited', retryable: true });
    expect((error as FanfareError).retryAfterMs).toBeGreaterThan(0);
    expect((error as FanfareError).retryAfterMs).toBeLessThanOrEqual(1_000);
  });

  it('publish rejects a message that would end the connection, before and after there is one', async () => {
    const { url } = await startServer({ memory: true, publishBytesMax: 1_000 });
    const fanfare = client(url);
    const early = fanfare.publish('news', 'x'.repeat(3_000));
    await expect(early).rejects.toMatchObject({ code: 'payload_too_large' });
    await becomes(fanfare, 'live');
    await fanfare.subscribe('news').ready;
    await expect(fanfare.publish('news', 'ü'.repeat(1_500))).rejects.toMatchObject({
      code: 'payload_too_large',
    });
    await expect(fanfare.publish('news', 'x'.repeat(1_500))).rejects.toMatchObject({
      code: 'payload_too_large',
    });
    expect(await fanfare.publish('news', 'x')).toMatchObject({ topic: 'news' });
    expect(fanfare.status.state).toBe('live');
  });
});

describe('history', () => {
  it('history reads all kept messages, page by page, and ends', async () => {
    const { url } = await startServer({ memory: true });
    const fanfare = client(url);
    await fanfare.subscribe('news').ready;
    await Promise.all(numbers(0, 2_500).map(async (n) => fanfare.publish('news', n)));
    const read = async (options: object): Promise<unknown[]> => {
      const envelopes = await collect('the history ends', fanfare.history('news', options));
      return envelopes.map(({ message }) => message);
    };
    expect(await read({})).toEqual(numbers(0, 2_500));
    expect(await read({ limit: 1_001 })).toEqual(numbers(0, 1_001));
    expect(await read({ from: { last: 2 } })).toEqual([2_498, 2_499]);
    await expect(collect('the history is refused', fanfare.history('nobody'))).rejects.toMatchObject({
      code: 'topic_not_found',
    });
  });

  it('history is rejected as unreachable when no server answers', async () => {
    const { server, url } = await startServer({ memory: true });
    await server.stop();
    const iterator = client(url).history('news')[Symbol.asyncIterator]();
    await expect(iterator.next()).rejects.toMatchObject({ code: 'unreachable', retryable: true });
  });
});
