import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseInterest } from '@fanfare/protocol';
import { createServer, type ServerOptions } from '@fanfare/server';
import { expect, it, onTestFinished } from 'vitest';
import { collect } from '../../../../test/waits.ts';
import {
  exportFromRedis,
  exportStore,
  ImportError,
  importStore,
  importToRedis,
  openStore,
  parseRedisUrl,
  verifyStore,
  type LogPlace,
} from '../../src/store-tools/index.ts';
import { LogTransfer } from '../../src/log/redis/log-transfer.ts';
import { secret } from '../access/tokens.ts';
import { startServer } from '../harness.ts';
import { RedisCluster } from '../redis/redis-cluster.ts';
import { RedisServer } from '../redis/redis-server.ts';

const idWindowMs = 600_000;
const now = Date.now;

function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'fanfare-transfer-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

function placeOn(redis: RedisServer, prefix = 'fanfare'): LogPlace {
  return { servers: parseRedisUrl(redis.url), prefix: `{${prefix}}:` };
}

/** The lines of an export. */
async function exported(
  run: (write: (lines: string) => Promise<void>) => Promise<unknown>,
): Promise<readonly string[]> {
  let text = '';
  await run(async (lines) => void (text += lines));
  return text.trimEnd().split('\n');
}

async function ofDirectory(directory: string): Promise<readonly string[]> {
  const store = await openStore(directory);
  const onDamage = (sentence: string): void => expect.unreachable(sentence);
  const lines = await exported((write) => exportStore(store, { write, onDamage }));
  const { damages } = await verifyStore(store, { now, onDamage, onNotice: () => {} });
  expect(damages).toBe(0);
  await store.close();
  return lines;
}

async function ofRedis(place: LogPlace, interest?: string): Promise<readonly string[]> {
  return exported((write) =>
    exportFromRedis(place, { write, ...(interest !== undefined && { interest: parseInterest(interest) }) }),
  );
}

async function* inPieces(lines: readonly string[], size = 7): AsyncIterable<readonly string[]> {
  for (let at = 0; at < lines.length; at += size) yield lines.slice(at, at + size);
}

/** What is the same in every copy of a log. A directory lists topics by age, and Redis by name. */
function contentOf(lines: readonly string[]): unknown {
  const { revocations } = JSON.parse(lines[0] ?? '') as { readonly revocations?: unknown };
  const rest = lines.slice(1).map((line) => line.replace(/,"offset":"[^"]+"/, ''));
  const isTopic = (line: string): boolean => line.includes('"declared":');
  return {
    revocations,
    topics: rest.filter(isTopic).toSorted(),
    others: rest.filter((line) => !isTopic(line)),
  };
}

/** Runs a server, and stops it. */
async function withServer(
  options: ServerOptions,
  use: (server: ReturnType<typeof createServer>) => Promise<void>,
): Promise<void> {
  const server = createServer({ port: 0, ...options });
  await server.start();
  await use(server);
  await server.stop();
}

const rules = [{ match: '**', create: 'publish' }] as const;

/** A directory with messages of all kinds, some of them with times that go back. */
async function filledDirectory(): Promise<string> {
  const data = join(temporaryDirectory(), 'data');
  let clock = Date.now() - 60_000;
  await withServer(
    { data, rules, key: secret, now: () => clock, logger: { warn: () => {}, error: () => {} } },
    async (server) => {
      await server.declare('declared/empty');
      await server.declare('declared/full');
      const publish = async (at: number): Promise<unknown> => {
        const topic = at % 5 === 0 ? 'declared/full' : `orders/${at % 11}/é😀`;
        return server.publish(topic, { at, text: `text ${at} é` }, at % 50 === 0 ? { id: `id ${at}` } : {});
      };
      for (let at = 0; at < 700; at += 10) {
        clock += at === 400 ? -70_000 : at % 3;
        await Promise.all(Array.from({ length: 10 }, (_, index) => publish(at + index)));
      }
      await server.revoke('mallory');
    },
  );
  return data;
}

it('a log goes from a directory into Redis and back with all topics, times, ids and revocations, and gets new epochs', async () => {
  const redis = await RedisServer.start();
  const data = await filledDirectory();
  const original = await ofDirectory(data);
  expect(contentOf(original)).toMatchObject({ revocations: [{ subject: 'mallory' }] });
  const counts = await importToRedis(placeOn(redis), { lines: inPieces(original), now, idWindowMs });
  expect(counts).toMatchObject({ messages: 700, topics: 13, damages: 0 });
  const shared = await ofRedis(placeOn(redis));
  expect(contentOf(shared)).toEqual(contentOf(original));
  const back = join(temporaryDirectory(), 'back');
  await importStore(back, { lines: inPieces(shared), now });
  const last = await ofDirectory(back);
  expect(contentOf(last)).toEqual(contentOf(original));
  const epochs = [original, shared, last].map(
    ([header = '']) => (JSON.parse(header) as { readonly epoch: string }).epoch,
  );
  expect(new Set(epochs).size).toBe(3);
  expect(await ofRedis(placeOn(redis), 'orders/*/*')).toHaveLength(1 + 11 + 560 + 1);
});

it('servers use an imported log: they continue it, know its ids, and tell clients with older offsets that they start anew', async () => {
  const redis = await RedisServer.start();
  const original = await ofDirectory(await filledDirectory());
  await importToRedis(placeOn(redis), { lines: inPieces(original), now, idWindowMs });
  const { server } = await startServer({ redis: redis.url, rules });
  const history = await collect('the history ends', server.history('**', { from: 'earliest' }));
  expect(history.map(({ message }) => (message as { at: number }).at)).toEqual([...Array(700).keys()]);
  const message = { at: 650, text: 'text 650 é' };
  const again = await server.publish('declared/full', message, { id: 'id 650' });
  expect(again).toMatchObject({ duplicate: true, offset: history[650]?.offset, time: history[650]?.time });
  const next = await server.publish('declared/full', 'next');
  expect(next.offset).toBe(history.at(-1)?.offset?.replace('.700', '.701'));
  const { offset } = JSON.parse(original.at(-2) ?? '') as { readonly offset: string };
  const gaps: unknown[] = [];
  const subscription = server.subscribe('declared/full', { from: offset, onGap: (gap) => gaps.push(gap) });
  const [first] = await collect('the subscription starts anew', subscription, { count: 1 });
  expect(first?.message).toMatchObject({ at: 0 });
});

it('publishers, and times that go back, come through an import unchanged', async () => {
  const redis = await RedisServer.start();
  const time = Date.now() - 10_000;
  const messages = [
    `{"topic":"news","message":1,"time":${time},"id":"a","publisher":"ann"}`,
    `{"topic":"news","message":2,"time":${time - 500_000},"publisher":"bob"}`,
    `{"topic":"news","message":1.0,"time":${time - 499_000},"id":"a","publisher":"ann"}`,
  ];
  await importToRedis(placeOn(redis), { lines: inPieces(messages), now, idWindowMs });
  const lines = await ofRedis(placeOn(redis));
  expect(contentOf(lines)).toMatchObject({ others: [...messages, '{"end":true,"messages":3}'] });
});

it('an import never changes a log that exists, and leaves nothing when it fails', async () => {
  const redis = await RedisServer.start();
  const lines = ['{"topic":"news","message":1,"time":1000}', '{"topic":"news","message":2,"time":1000}'];
  await importToRedis(placeOn(redis), { lines: inPieces(lines), now, idWindowMs });
  const before = await ofRedis(placeOn(redis));
  await expect(importToRedis(placeOn(redis), { lines: inPieces(lines), now, idWindowMs })).rejects.toThrow(
    "There is a log under the prefix '{fanfare}:' already",
  );
  expect(await ofRedis(placeOn(redis))).toEqual(before);
  const wrong = [...lines, '{"topic":"news","message":'];
  const other = placeOn(redis, 'other');
  await expect(importToRedis(other, { lines: inPieces(wrong, 1), now, idWindowMs })).rejects.toThrow(
    ImportError,
  );
  expect(await redis.command('KEYS', '{other}*')).toEqual([]);
  await expect(ofRedis(other)).rejects.toThrow("There is no log under the prefix '{other}:'.");
  expect(await redis.command('KEYS', '{other}*')).toEqual([]);
});

it('servers refuse a log whose import was interrupted, and the next import replaces it', async () => {
  const redis = await RedisServer.start();
  const interrupted = await LogTransfer.open(placeOn(redis));
  await interrupted.begin(idWindowMs);
  await interrupted.addTopics([{ topic: 'left' as never, isDeclared: true }]);
  const server = createServer({ port: 0, redis: redis.url, logger: { warn: () => {}, error: () => {} } });
  await expect(server.start()).rejects.toThrow('An import into this log has not finished.');
  await expect(ofRedis(placeOn(redis))).rejects.toThrow('An import into this log has not finished.');
  const lines = ['{"topic":"news","message":1,"time":1000}'];
  await importToRedis(placeOn(redis), { lines: inPieces(lines), now, idWindowMs });
  await expect(interrupted.end(0, [])).rejects.toThrow('Another import has taken over.');
  await interrupted.close();
  expect((await ofRedis(placeOn(redis))).slice(1)).toEqual([
    '{"topic":"news","declared":false}',
    expect.stringMatching(/^\{"topic":"news","message":1,"offset":"[^"]+\.1","time":1000\}$/),
    '{"end":true,"messages":1}',
  ]);
});

it('an import and an export find the node of a Redis Cluster that has the log', async () => {
  const cluster = await RedisCluster.start();
  const lines = ['{"topic":"news","message":1,"time":1000}'];
  // Each node is the first one that is asked once.
  for (const [at, { port }] of cluster.nodes.entries()) {
    const place = { servers: parseRedisUrl(`redis+cluster://127.0.0.1:${port}`), prefix: `{log${at}}:` };
    await importToRedis(place, { lines: inPieces(lines), now, idWindowMs });
    expect(await ofRedis(place)).toHaveLength(4);
  }
  for (const { port } of cluster.nodes) {
    const place = { servers: parseRedisUrl(`redis+cluster://127.0.0.1:${port}`), prefix: '{log1}:' };
    expect(await ofRedis(place)).toHaveLength(4);
  }
});

it('an export changes nothing, also after a restart of Redis, and leaves out what retention has removed', async () => {
  const redis = await RedisServer.start({ config: ['appendonly yes', 'appendfsync always'] });
  const few = [{ match: '**', create: 'publish', keep: { count: 3 } }] as const;
  await withServer({ redis: redis.url, rules: few }, async (server) => {
    for (let at = 0; at < 10; at++) await server.publish(`topic ${at % 2}`, at);
  });
  await redis.stop();
  await redis.restart();
  const before = await redis.command('HGETALL', '{fanfare}:meta');
  const lines = await ofRedis(placeOn(redis));
  const messages = lines.slice(3, -1).map((line) => (JSON.parse(line) as { message: unknown }).message);
  expect(messages).toEqual([4, 5, 6, 7, 8, 9]);
  expect(await redis.command('HGETALL', '{fanfare}:meta')).toEqual(before);
  expect(await redis.command('LLEN', '{fanfare}:lineage')).toBe(0);
});
