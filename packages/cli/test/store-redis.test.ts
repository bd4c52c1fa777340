import { join } from 'node:path';
import { createServer } from '@fanfare/server';
import { expect, it } from 'vitest';
import { RedisServer } from '../../server/test/redis/redis-server.ts';
import { fanfare, fanfarePath, outcome, Program, temporaryDirectory } from './harness.ts';

const password = 'hunter2hunter2';

async function startRedis(): Promise<RedisServer> {
  return RedisServer.start({ config: [`requirepass ${password}`] });
}

/** A data directory with two messages. */
async function filledDirectory(): Promise<string> {
  const data = join(temporaryDirectory(), 'data');
  const server = createServer({ port: 0, data, rules: [{ match: '**', create: 'publish' }] });
  await server.start();
  await server.publish('news', 'one', { id: 'x' });
  await server.publish('orders/7', { item: 'tea' });
  await server.stop();
  return data;
}

/** What is the same in every copy of a log. */
function contentOf(lines: string): readonly string[] {
  return lines
    .trimEnd()
    .split('\n')
    .slice(1)
    .map((line) => line.replace(/,"offset":"[^"]+"/, ''));
}

it('fanfare store moves the messages of a directory into Redis and back, and prints no password', async () => {
  const redis = await startRedis();
  const data = await filledDirectory();
  const env = { FANFARE_REDIS: redis.url, FANFARE_REDIS_PREFIX: 'shop' };
  const run = `"${process.execPath}" "${fanfarePath}" store`;
  const shell = `${run} export '${data}' | ${run} import`;
  const imported = await outcome(new Program('bash', ['-o', 'pipefail', '-c', shell], env));
  expect(imported.stderr).toContain(
    `Imported 2 messages in 2 topics (19 bytes) into redis://127.0.0.1:${redis.port} (prefix shop)\n`,
  );
  const exported = await outcome(fanfare('store', 'export', '--redis', redis.url, '--redis-prefix', 'shop'));
  expect(exported).toMatchObject({ code: 0, stderr: 'Exported 2 messages in 2 topics (19 bytes)\n' });
  const original = await outcome(new Program(process.execPath, [fanfarePath, 'store', 'export', data], env));
  expect(contentOf(exported.stdout)).toEqual(contentOf(original.stdout));
  const back = join(temporaryDirectory(), 'back');
  const restore = fanfare('store', 'import', back);
  restore.process.stdin?.end(exported.stdout);
  expect(await outcome(restore)).toMatchObject({ code: 0 });
  expect(contentOf((await outcome(fanfare('store', 'export', back))).stdout)).toEqual(
    contentOf(original.stdout),
  );
  expect(JSON.stringify([imported, exported])).not.toContain(password);
});

it('fanfare store says why it cannot use Redis, without the password', async () => {
  const redis = await startRedis();
  const none = await outcome(fanfare('store', 'export', '--redis', redis.url));
  expect(none).toEqual({ code: 1, stdout: '', stderr: "There is no log under the prefix '{fanfare}:'.\n" });
  const wrong = redis.url.replace(password, 'wrong-password');
  const refused = await outcome(fanfare('store', 'export', '--redis', wrong));
  expect(refused).toMatchObject({ code: 1, stdout: '' });
  expect(refused.stderr).toMatch(/Redis/);
  expect(refused.stderr).not.toContain('wrong-password');
  const malformed = await outcome(fanfare('store', 'export', '--redis', `http://:${password}@localhost`));
  expect(malformed.code).toBe(2);
  expect(malformed.stderr).not.toContain(password);
  const prefix = await outcome(fanfare('store', 'export', '--redis', redis.url, '--redis-prefix', 'a b'));
  expect(prefix).toMatchObject({ code: 2 });
  const both = fanfare('store', 'import', 'somewhere', '--redis', redis.url);
  both.process.stdin?.end();
  expect(await outcome(both)).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('Name a directory or --redis, not both.') as string,
  });
  const neither = fanfare('store', 'import');
  neither.process.stdin?.end();
  expect(await outcome(neither)).toMatchObject({ code: 2 });
});
