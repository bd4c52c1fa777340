import { randomUUID } from 'node:crypto';
import { isPattern, type Interest, type Topic } from '@fanfare/protocol';
import { vi } from 'vitest';
import { openRedisLog, type RedisLog, type RedisLogOptions } from '../../../src/log/redis/open-redis-log.ts';
import { parseRedisUrl } from '../../../src/log/redis/redis-url.ts';
import { Invariants } from '../../../src/observability/invariants.ts';
import { Rules, type Rule } from '../../../src/rules/rule.ts';
import type { LogOptions, LogUnderTest } from '../../contracts/log-under-test.ts';
import { until } from '../../../../../test/waits.ts';
import type { RedisServer } from '../../redis/redis-server.ts';

const startTime = 1_000_000;

const keepAll: Rule = {
  match: '**' as Topic,
  keep: { count: 1_000_000, ageMs: 1e12, bytes: 1e12 },
  create: 'publish',
  publishBytesMax: 1_000_000,
};

/** Rules by which topics under `live/` keep nothing, and others everything. */
export const plainRules: Rules = new Rules(
  [{ ...keepAll, match: 'live/**' as Topic, keep: 'none' }],
  keepAll,
);

const quiet = { warn: (): void => {}, error: (): void => {} };

/** Opens a log on Redis with connections of its own, as a server does. */
export async function openNodeLog(
  url: string,
  options: Partial<RedisLogOptions> & { readonly prefix: string },
): Promise<RedisLog> {
  return openRedisLog({
    servers: parseRedisUrl(url),
    replicas: 0,
    rules: plainRules,
    topicsMax: 10_000,
    idsMax: 10_000,
    idWindowMs: 60_000,
    unusedPerSubjectMax: Infinity,
    isInUse: () => false,
    onText: () => {},
    usedInterests: () => [],
    nodeId: randomUUID(),
    onFailure: () => {},
    invariants: new Invariants(quiet),
    logger: quiet,
    ...options,
  });
}

/** The tail of a node has everything that any node has appended. */
export async function caughtUp({ node }: RedisLog): Promise<void> {
  await node.append([]);
  const { batch } = await node.library.state();
  await until('the tail is at the head', () => node.tail.batch >= batch);
}

/** Opens a log under a new prefix. Its clock stands still, and its sweep waits for `advance`. */
export async function openNodeLogUnderTest(redis: RedisServer, options: LogOptions): Promise<LogUnderTest> {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  const prefix = `{${randomUUID()}}:`;
  const known = new Set<Topic>();
  const isInUse = (interest: Interest): boolean => {
    if (isPattern(interest)) return false;
    known.add(interest);
    return options.isInUse?.(interest) ?? false;
  };
  const open = (): Promise<RedisLog> =>
    openNodeLog(redis.url, {
      ...options,
      prefix,
      rules: new Rules(options.rules, options.fallback),
      unusedPerSubjectMax: options.unusedPerSubjectMax ?? Infinity,
      isInUse,
      usedInterests: () => [...known].filter(isInUse),
    });
  let opened = await open();
  await redis.command('HSET', `${prefix}meta`, 'test_clock', startTime);
  // Learns the clock of the test.
  await opened.node.tail.catchUp();
  return {
    log: opened.log,
    level: 'memory',
    isShared: true,
    startTime,
    settled: () => caughtUp(opened),
    advance: async (ms) => {
      await redis.command('HINCRBY', `${prefix}meta`, 'test_clock', ms);
      await opened.node.tail.catchUp();
      await opened.log.sweep();
    },
    reopen: async () => {
      await opened.log.close();
      opened = await open();
      return opened.log;
    },
    close: () => opened.log.close(),
  };
}
