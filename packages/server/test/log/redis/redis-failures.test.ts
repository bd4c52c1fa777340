import { randomUUID } from 'node:crypto';
import type { Topic } from '@fanfare/protocol';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RedisLog } from '../../../src/log/redis/open-redis-log.ts';
import {
  LogFullError,
  LogUncertainError,
  LogUnreachableError,
  type LogRecord,
  type NewRecord,
  type Position,
} from '../../../src/log/topic-log.ts';
import { soonMs, until, within } from '../../../../../test/waits.ts';
import { RedisProxy } from '../../redis/redis-proxy.ts';
import { RedisServer } from '../../redis/redis-server.ts';
import { caughtUp, openNodeLog } from './open-node-log.ts';

const news = 'news' as Topic;
const page = { recordsMax: 10_000, bytesMax: 1e9 };

let redis: RedisServer;
let proxy: RedisProxy;
let opened: RedisLog[];
let prefix: string;

beforeEach(async () => {
  redis = await RedisServer.start();
  proxy = await RedisProxy.to(redis.port);
  opened = [];
  prefix = `{${randomUUID()}}:`;
});

afterEach(async () => {
  await Promise.all(opened.map(({ log }) => log.close()));
});

function urlOf({ port }: RedisProxy): string {
  return `redis://127.0.0.1:${port}`;
}

async function open(url: string): Promise<RedisLog> {
  const one = await within(soonMs, 'the log opens', openNodeLog(url, { prefix }));
  opened.push(one);
  return one;
}

function message(at: number | string, topic = news): NewRecord {
  return { topic, messageJson: JSON.stringify(at), createsTopic: true };
}

interface Tail {
  readonly records: LogRecord[];
  missed: number;
  readonly behind: Position[];
}

function follow({ log }: RedisLog): Tail {
  const tail: Tail = { records: [], missed: 0, behind: [] };
  log.tail({
    onRecords: (records) => void tail.records.push(...records),
    onMissed: () => tail.missed++,
    onBehind: (from) => tail.behind.push(from),
  });
  return tail;
}

function messagesOf(records: readonly LogRecord[]): unknown[] {
  return records.map(({ messageJson }) => JSON.parse(messageJson) as unknown);
}

/** What an append comes to, within the time that it may take. */
function resultOf(append: Promise<unknown>): Promise<unknown> {
  return within(
    soonMs,
    'the append is settled',
    append.catch((error: unknown) => error),
  );
}

async function stored(one: RedisLog): Promise<unknown[]> {
  const { position } = await one.log.locate(news, { kind: 'earliest' });
  return messagesOf((await one.log.read(news, position, page)).records);
}

describe('a log on Redis behind a bad network', () => {
  it('has each message once, and in order, when connections are cut all the time', async () => {
    const one = await open(urlOf(proxy));
    const other = await open(redis.url);
    const [tail, otherTail] = [follow(one), follow(other)];
    const results: Promise<unknown>[] = [];
    for (let at = 0; at < 600; at++) {
      results.push(resultOf(one.log.append([message(at)])));
      if (at % 60 === 30) proxy.cut();
      if (at % 10 === 0) await results.at(-10);
    }
    const outcomes = await Promise.all(results);
    expect(outcomes.filter((outcome) => outcome instanceof Error)).toEqual([]);
    await caughtUp(one);
    await caughtUp(other);
    const all = Array.from({ length: 600 }, (_, at) => at);
    expect(await stored(other)).toEqual(all);
    expect(messagesOf(tail.records)).toEqual(all);
    expect(messagesOf(otherTail.records)).toEqual(all);
    expect([otherTail.missed, tail.behind]).toEqual([0, []]);
  });

  it('has a message once when the answer to its append was lost, even without an id', async () => {
    const one = await open(urlOf(proxy));
    await one.log.append([message('first')]);
    for (let at = 0; at < 5; at++) {
      const loss = proxy.loseReply(1, ([, name]) => name?.endsWith('_append') ?? false);
      await within(soonMs, 'the append is acknowledged', one.log.append([message(at)]));
      expect(loss.hasHappened).toBe(true);
    }
    expect(await stored(one)).toEqual(['first', 0, 1, 2, 3, 4]);
  });

  it('does not know the outcome of an append whose answer was lost, and whose second attempt Redis refuses', async () => {
    const one = await open(urlOf(proxy));
    await one.log.append([message('first')]);
    proxy.loseReply(1, ([, name]) => name?.endsWith('_append') ?? false);
    // Until Redis is full.
    const refusal = proxy.refuse();
    const result = resultOf(one.log.append([message('kept')]));
    await until('the answer is lost', () => one.node.trouble !== undefined);
    await redis.configSet('maxmemory', '1mb');
    refusal.lift();
    expect(await result).toBeInstanceOf(LogUncertainError);
    expect(await stored(one)).toEqual(['first', 'kept']);
  });

  it('replaces a subscriber connection that is open and gets nothing', async () => {
    const one = await open(urlOf(proxy));
    const other = await open(redis.url);
    const tail = follow(one);
    const present = new Set(proxy.connections.filter(proxy.isSubscriber));
    proxy.discard({ direction: 'to-client', of: (connection) => present.has(connection) });
    await other.log.append([message(1), message(2)]);
    await until('the tail has the messages', () => tail.records.length === 2);
    await other.log.append([message(3)]);
    await until('the new connection brings the next one', () => tail.records.length === 3);
    expect(messagesOf(tail.records)).toEqual([1, 2, 3]);
  });

  it('tells when unstored messages may be missing, and delivers the stored ones', async () => {
    const one = await open(urlOf(proxy));
    const other = await open(redis.url);
    const tail = follow(one);
    const refusal = proxy.refuse();
    proxy.cut();
    await until('the node is disconnected', () => one.node.trouble !== undefined);
    await other.log.append([message(1), message(2, 'live/x' as Topic)]);
    await other.log.append([message(3)]);
    refusal.lift();
    await until('the tail has caught up', () => tail.records.length === 2);
    await until('the loss is told', () => tail.missed === 1);
    expect(messagesOf(tail.records)).toEqual([1, 3]);
  });

  it('refuses appends within two seconds while Redis cannot be reached, and they do not happen later', async () => {
    const one = await open(urlOf(proxy));
    const refusal = proxy.refuse();
    proxy.cut();
    await until('the node is disconnected', () => one.node.trouble !== undefined);
    const startedAt = performance.now();
    expect(await resultOf(one.log.append([message(1)]))).toBeInstanceOf(LogUnreachableError);
    expect(performance.now() - startedAt).toBeLessThan(2_500);
    refusal.lift();
    await until('the node is connected', () => one.node.trouble === undefined);
    await one.log.append([message(2)]);
    expect(await stored(one)).toEqual([2]);
  });

  it('does not carry out an append of a stopped Redis after its failure was told', async () => {
    const one = await open(redis.url);
    await one.log.append([message(1)]);
    redis.pause();
    const result = await resultOf(one.log.append([message(2)]));
    expect(result).toBeInstanceOf(LogUncertainError);
    redis.resume();
    await until('the node is connected', () => one.node.trouble === undefined);
    await one.log.append([message(3)]);
    expect(await stored(one)).toEqual([1, 3]);
  });
});

describe('a user of Redis with few rights', () => {
  it('carries a log if it has the commands and keys of the functions', async () => {
    const commands = [
      '+fcall +function|load +info +subscribe +ssubscribe +publish +spublish +wait',
      '+del +exists +unlink +rename +type +pexpire +time',
      '+hset +hget +hmget +hgetall +hdel +hlen',
      '+rpush +lpop +lrange +lindex +llen +ltrim',
      '+sadd +srem +scard +srandmember',
      '+zadd +zrem +zcard +zscore +zpopmin +zrange +zrangebylex +zunionstore',
      '+xadd +xdel +xrange +xrevrange',
    ];
    const rights = `resetkeys resetchannels ~${prefix}* &${prefix}* -@all ${commands.join(' ')}`;
    await redis.command('ACL', 'SETUSER', 'few', 'on', '>secret', ...rights.split(' '));
    const one = await open(redis.url.replace('://', '://few:secret@'));
    const tail = follow(one);
    await one.log.append([message(1), { ...message(2), id: 'x' }, message(3, 'live/x' as Topic)]);
    await caughtUp(one);
    await one.log.declareTopic('other' as Topic);
    await one.log.readBefore(news, { epoch: one.log.epoch, sequence: 9 }, page);
    await one.log.topics({ prefix: '', limit: 10 });
    await one.log.usage();
    await one.log.sweep();
    await one.log.deleteTopic(news);
    expect(messagesOf(tail.records)).toEqual([1, 2, 3]);
  });
});

describe('a log on a Redis that fails', () => {
  it('goes on in a new epoch when Redis was emptied, and tells from where to read', async () => {
    const one = await open(redis.url);
    const tail = follow(one);
    await one.log.append([message(1), message(2)]);
    await caughtUp(one);
    const { epoch } = one.log;
    await redis.flushAll();
    await one.log.append([message(3)]).catch(() => {});
    await until('the tail is in the new log', () => one.log.epoch !== epoch);
    expect(tail.behind).toEqual([{ epoch, sequence: 2 }]);
    await one.log.append([message(4)]);
    await caughtUp(one);
    expect(messagesOf(tail.records).at(-1)).toBe(4);
    const start = await one.log.locate(news, { kind: 'offset', offset: { epoch, sequence: 1 } });
    expect(start.recovered).toBe(false);
  });

  it('loads its functions again when they were flushed', async () => {
    const one = await open(redis.url);
    await one.log.append([message(1)]);
    await redis.command('FUNCTION', 'FLUSH');
    await Promise.all([2, 3, 4].map((at) => one.log.append([message(at)])));
    expect(await stored(one)).toEqual([1, 2, 3, 4]);
  });

  it('refuses appends with what to do while Redis is full, and reads', async () => {
    const one = await open(redis.url);
    await one.log.append([message(1)]);
    await redis.configSet('maxmemory', '1mb');
    const error = await resultOf(one.log.append([message(2)]));
    expect(error).toBeInstanceOf(LogFullError);
    expect(await stored(one)).toEqual([1]);
    await redis.configSet('maxmemory', 0);
    await one.log.append([message(3)]);
    expect(await stored(one)).toEqual([1, 3]);
  });
});

describe('a log on a Redis with an append-only file', () => {
  it('loses nothing, and nobody notices, when Redis is killed and started again', async () => {
    const durable = await RedisServer.start({ config: ['appendonly yes', 'appendfsync always'] });
    const one = await open(durable.url);
    const tail = follow(one);
    expect(await one.log.append([message(1)])).toMatchObject([{ stored: 'disk' }]);
    await durable.kill();
    const restarting = durable.restart();
    const appended = resultOf(one.log.append([message(2)]));
    await restarting;
    expect(await appended).toMatchObject([{ kind: 'appended' }]);
    await caughtUp(one);
    expect(messagesOf(tail.records)).toEqual([1, 2]);
    expect(tail.behind).toEqual([]);
    expect(await stored(one)).toEqual([1, 2]);
  });
});

describe('the recent records', () => {
  it('answer a reader that comes again without asking Redis', async () => {
    const one = await open(redis.url);
    const [first] = await one.log.append([message(1)]);
    await one.log.append([message(2), message(3)]);
    await caughtUp(one);
    const calls = async (): Promise<string | undefined> => {
      const stats = await redis.info('commandstats');
      return /cmdstat_fcall:calls=(\d+)/.exec(stats)?.[1];
    };
    expect(first?.kind).toBe('appended');
    const offset = { epoch: one.log.epoch, sequence: 1 };
    await one.node.tail.catchUp();
    const before = await calls();
    const start = await one.log.open(news, { kind: 'offset', offset });
    if (start.creation === 'topics_exhausted') throw new Error('the topic is there');
    const again = await one.log.locate(news, { kind: 'offset', offset });
    const read = await one.log.read(news, start.position, page);
    const after = await calls();
    expect(again).toEqual({ position: start.position, recovered: start.recovered, due: start.due });
    expect(start).toMatchObject({ recovered: true, due: 2 });
    expect(messagesOf(read.records)).toEqual([2, 3]);
    // A check of the position or a sweep may come in between.
    expect(Number(after) - Number(before)).toBeLessThanOrEqual(2);
  });
});
