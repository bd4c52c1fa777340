import { resolveSettings } from '@fanfare/server';
import { expect, it } from 'vitest';
import { publish, startServer } from '../harness.ts';
import { declare } from '../http-tools.ts';
import { RedisServer } from './redis-server.ts';

it('a reload changes the rules and limits of a log on Redis, and other nodes are told that theirs differ', async () => {
  const redis = await RedisServer.start();
  let flags: Record<string, string> = {
    redis: redis.url,
    port: '0',
    rules: '[{"match": "**", "keep": "none"}]',
  };
  const read = (): ReturnType<typeof resolveSettings> => resolveSettings({ flags, env: {} });
  const logger = { warn: () => {}, error: () => {} };
  const first = await startServer({ ...read(), readSettings: async () => read(), logger });
  const second = await startServer({ ...read(), readSettings: async () => read(), logger });
  await declare(first.url, 'news');
  await publish(first.url, { topic: 'news', message: 1 });
  flags = { ...flags, rules: '[{"match": "**", "keep": {"count": 2}}]', topicsMax: '2' };
  expect(await first.server.reload()).toEqual({ changed: ['rules', 'topicsMax'], needRestart: [] });
  for (const message of [2, 3, 4]) await publish(first.url, { topic: 'news', message });
  const page = await (await fetch(`${first.url}/messages?topic=news&from=earliest`)).json();
  expect(page).toMatchObject({ messages: [{ message: 3 }, { message: 4 }] });
  const declared = async (topic: string): Promise<number> =>
    (await fetch(`${first.url}/topic?topic=${topic}`, { method: 'PUT' })).status;
  expect([await declared('a'), await declared('b')]).toEqual([201, 429]);
  const warning = async (): Promise<unknown> => {
    const { checks } = (await (await fetch(`${second.url}/readyz`)).json()) as {
      checks: { nodes: { warning?: string } };
    };
    return checks.nodes.warning;
  };
  await expect.poll(warning, { timeout: 15_000 }).toMatch(/^The rules or limits of this node differ/);
  await second.server.reload();
  await expect.poll(warning, { timeout: 15_000 }).toBeUndefined();
});
