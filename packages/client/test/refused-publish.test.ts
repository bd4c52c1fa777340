import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { FanfareError } from '@fanfare/client';
import { describe, expect, it } from 'vitest';
import { collect, soonMs, until, within } from '../../../test/waits.ts';
import { temporaryDirectory } from '../../server/test/http-tools.ts';
import { RedisServer } from '../../server/test/redis/redis-server.ts';
import { client, numbers, publish, startServer } from './harness.ts';

const rules = [{ match: '**', create: 'publish' }] as const;
const logger = { warn: (): void => {}, error: (): void => {} };

/** What a topic has. */
async function messagesOf(url: string, topic: string): Promise<unknown[]> {
  const envelopes = await collect('the history ends', client(url).history(topic, { from: 'earliest' }));
  return envelopes.map(({ message }) => message);
}

describe('a publish that the server refuses for now', () => {
  it('publishes whose outcome the server does not know, and those that it cannot store, are retried with the same id, and happen once', async () => {
    const redis = await RedisServer.start();
    const { url } = await startServer({ redis: redis.url, rules, logger });
    const fanfare = client(url);
    await fanfare.publish('news', 'first');
    redis.pause();
    const results = numbers(0, 20).map(async (n) => fanfare.publish('news', n));
    // First Redis may have the publishes of the server, and then it does not get them.
    const refused = async (): Promise<boolean> => {
      const response = await publish(url, { topic: 'other', message: 1 });
      return (JSON.parse(response.text) as { code: string }).code === 'storage_unavailable';
    };
    await until('the server says that nothing can be stored', refused);
    results.push(...numbers(20, 40).map(async (n) => fanfare.publish('news', n)));
    redis.resume();
    await within(soonMs, 'all publishes are acknowledged', Promise.all(results));
    // Those that were on their way when others were refused can be stored first.
    const messages = await messagesOf(url, 'news');
    expect(messages).toHaveLength(41);
    expect(new Set(messages)).toEqual(new Set(['first', ...numbers(0, 40)]));
  });

  it('a publish that the server cannot store until the timeout is rejected with the reason of the server', async () => {
    const data = join(await temporaryDirectory(), 'data');
    const { url } = await startServer({ data, rules, logger });
    const fanfare = client(url, { publishTimeoutMs: 5_000 });
    await fanfare.publish('news', 1);
    await rename(data, `${data}-moved`);
    const isRefused = async (): Promise<boolean> =>
      (await publish(url, { topic: 'other', message: 1 })).status === 503;
    await until('the server cannot store messages', isRefused);
    const begun = performance.now();
    const error = await fanfare.publish('news', 2).catch((reason: unknown) => reason as FanfareError);
    expect(error).toMatchObject({ code: 'storage_unavailable', retryable: true });
    expect(performance.now() - begun).toBeGreaterThan(4_900);
    const late = fanfare.publish('news', 3);
    await rename(`${data}-moved`, data);
    expect(await within(soonMs, 'the publish is stored', late)).toMatchObject({ stored: 'disk' });
    expect(await messagesOf(url, 'news')).toEqual([1, 3]);
  });
});
