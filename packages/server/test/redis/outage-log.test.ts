import { expect, it } from 'vitest';
import { connectClient, publish, startServer } from '../harness.ts';
import { declare } from '../http-tools.ts';
import { RedisServer } from './redis-server.ts';

it('while Redis stands still, hundreds of refused requests of each kind are logged once', async () => {
  const redis = await RedisServer.start();
  const entries: string[] = [];
  const log =
    (level: string) =>
    ({ err }: { readonly err?: Error }, sentence: string): void => {
      const cause = err?.cause instanceof Error ? err.cause.message : '';
      entries.push(`${level}: ${sentence} ${err?.message} ${cause}`);
    };
  const { url } = await startServer({ redis: redis.url, logger: { warn: log('warn'), error: log('error') } });
  await declare(url, 'news');
  const client = await connectClient(url);
  redis.pause();
  const each = Array.from({ length: 100 }, (_, message) => ({ topic: 'news', message }));
  const answers = await Promise.all([
    ...each.map(async (one) => (await publish(url, one)).status),
    ...each.map(async ({ message }) => (await publish(url, { topic: 'none', message })).status),
    ...each.map(async (one) => {
      const answer = (await client.emitWithAck('publish', one)) as { readonly error?: { status: number } };
      return answer.error?.status;
    }),
    ...each.map(async () => (await fetch(`${url}/messages?topic=news`)).status),
    ...each.map(
      async ({ message }) => (await fetch(`${url}/topic?topic=t${message}`, { method: 'PUT' })).status,
    ),
  ]);
  expect(new Set(answers)).toEqual(new Set([503]));
  redis.resume();
  expect(entries.length).toBeGreaterThan(0);
  expect(entries.toSorted()).toEqual([...new Set(entries)].toSorted());
  expect(entries.length).toBeLessThan(20);
});
