import { randomUUID } from 'node:crypto';
import { parseInterest, parseTopic, type Interest, type Topic } from '@fanfare/protocol';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { until } from '../../../../../test/waits.ts';
import type { LogRecord, Position, TopicLog } from '../../../src/log/topic-log.ts';
import { Rules, type Rule } from '../../../src/rules/rule.ts';
import type { RedisLog, RedisLogOptions } from '../../../src/log/redis/open-redis-log.ts';
import { create, tailOf } from '../../contracts/log-under-test.ts';
import { RedisServer } from '../../redis/redis-server.ts';
import { caughtUp, openNodeLog } from './open-node-log.ts';

const news = parseTopic('news');
const other = parseTopic('other');
const everything = parseInterest('**');
const page = { recordsMax: 100, bytesMax: 1_000_000 };
const keep = { count: 10_000, ageMs: Infinity, bytes: Infinity };
const fallback: Rule = { match: everything, keep, create: 'subscribe', publishBytesMax: 1_000 };
const rules = new Rules([{ ...fallback, match: parseInterest('made/**'), create: 'publish' }], fallback);

let redis: RedisServer;
let opened: RedisLog[] = [];

beforeAll(async () => {
  redis = await RedisServer.start({ config: ['appendonly yes', 'appendfsync always'] });
});

afterAll(() => redis.kill());

afterEach(async () => {
  await Promise.all(opened.map(({ log }) => log.close()));
  opened = [];
});

/** Two servers that share a log. */
async function opensTwo(options: Partial<RedisLogOptions> = {}): Promise<readonly [RedisLog, RedisLog]> {
  const { prefix = `{${randomUUID()}}:` } = options;
  const open = async (): Promise<RedisLog> => {
    const log = await openNodeLog(redis.url, { rules, ...options, prefix });
    opened.push(log);
    return log;
  };
  return [await open(), await open()];
}

async function allCaughtUp(): Promise<void> {
  for (const each of opened) await caughtUp(each);
}

/** Reads on from a position until the reader has reached the tail. */
async function readToHead(log: TopicLog, interest: Interest, start: Position): Promise<readonly LogRecord[]> {
  const records: LogRecord[] = [];
  let position = start;
  let isDone = false;
  const readNext = async (): Promise<void> => {
    const read = await log.read(interest, position, page);
    expect(read.dropped).toBe(0);
    records.push(...read.records);
    ({ position } = read);
    isDone = read.isAtHead;
  };
  await until('the reader is at the head', () => isDone, { step: readNext });
  return records;
}

it('two servers get the records of both, in the same order and with the same places', async () => {
  const [one, two] = await opensTwo();
  const tails = [tailOf(one.log), tailOf(two.log)];
  await create(one.log, news);
  const appends = Array.from({ length: 60 }, (_, at) => {
    const { log } = at % 2 === 0 ? one : two;
    return log.append([
      { topic: news, messageJson: String(at) },
      { topic: parseTopic(`made/${at % 5}`), messageJson: String(at) },
    ]);
  });
  await Promise.all(appends);
  await allCaughtUp();
  expect(tails[0]).toEqual(tails[1]);
  expect(tails[0]?.map(({ sequence }) => sequence)).toEqual(Array.from({ length: 120 }, (_, at) => at + 1));
  const { position } = await two.log.locate(everything, { kind: 'earliest' });
  expect(await readToHead(two.log, everything, position)).toEqual(tails[0]);
});

it('topics and ids count on all servers', async () => {
  const [one, two] = await opensTwo();
  const record = { topic: news, messageJson: '1', id: 'i', subject: 'ann' };
  expect(await two.log.append([record])).toEqual([{ kind: 'topic_not_found' }]);
  expect(await create(one.log, news)).toBe('created');
  const [first] = await two.log.append([record]);
  expect(first).toMatchObject({ kind: 'appended', sequence: 1 });
  expect(await one.log.append([record])).toEqual([{ ...first, kind: 'duplicate' }]);
  expect(await one.log.append([{ ...record, messageJson: '2' }])).toEqual([{ kind: 'id_conflict' }]);
  expect(await one.log.deleteTopic(news)).toBe(true);
  expect(await two.log.append([{ topic: news, messageJson: '3' }])).toEqual([{ kind: 'topic_not_found' }]);
});

it('a publish creates a topic that a pattern of a subscriber on another server matches', async () => {
  const used = new Set<Interest>();
  const [one, two] = await opensTwo({ isInUse: (interest) => used.has(interest), usedInterests: () => [] });
  const pattern = parseInterest('a/*');
  const records = [news, parseTopic('a/1'), parseTopic('made/1')].map((topic) => ({
    topic,
    messageJson: '1',
  }));
  const kinds = async (): Promise<unknown> => (await two.log.append(records)).map(({ kind }) => kind);
  expect(await kinds()).toEqual(['topic_not_found', 'topic_not_found', 'appended']);
  used.add(pattern);
  await one.log.open(pattern, { kind: 'new' });
  expect(await kinds()).toEqual(['topic_not_found', 'appended', 'appended']);
  used.clear();
  one.log.noteUse(pattern);
  await one.log.deleteTopic(parseTopic('a/1'));
  expect(await kinds()).toEqual(['topic_not_found', 'topic_not_found', 'appended']);
});

it('a reader that starts with new messages gets none that was acknowledged before, on any server', async () => {
  const [one, two] = await opensTwo();
  const tail = tailOf(two.log);
  await create(one.log, news);
  for (let at = 1; at <= 50; at++) {
    await one.log.append([{ topic: news, messageJson: String(at) }]);
    const start = await two.log.open(news, { kind: 'new' });
    // The tail has delivered everything before the start already.
    expect(start).toMatchObject({ due: 0, position: { sequence: two.log.head } });
    expect(tail.length).toBe(at);
  }
});

it('a reader reaches the tail while other servers append all the time, and misses nothing', async () => {
  const [one, two] = await opensTwo();
  const tail = tailOf(two.log);
  await create(one.log, news);
  let isReading = true;
  let appended = 0;
  const publishing = until('the readers are done', () => !isReading, {
    step: async () => {
      const records = Array.from({ length: 20 }, () => ({ topic: news, messageJson: String(++appended) }));
      await one.log.append(records);
    },
  });
  for (const interest of [news, everything]) {
    await until('there are messages', () => tail.length > 200);
    const { position } = await two.log.locate(interest, { kind: 'earliest' });
    const records = await readToHead(two.log, interest, position);
    // In this turn, the reader has exactly what the tail has delivered.
    expect(records.map(({ sequence }) => sequence)).toEqual(records.map((_, at) => at + 1));
    expect(records.length).toBeGreaterThanOrEqual(200);
  }
  isReading = false;
  await publishing;
});

it('a server with other rules applies them to all topics when it starts', async () => {
  const prefix = `{${randomUUID()}}:`;
  const [one] = await opensTwo({ prefix });
  const topics = ['made/1', 'made/2', 'made/3'].map(parseTopic);
  const records = [1, 2, 3].flatMap((at) => topics.map((topic) => ({ topic, messageJson: String(at) })));
  await one.log.append(records);
  const changed = new Rules(
    [
      { ...fallback, match: parseInterest('made/1'), keep: { ...keep, count: 2 } },
      { ...fallback, match: parseInterest('made/2'), keep: 'none' },
      { ...fallback, match: parseInterest('made/3'), keep: { ...keep, ageMs: 0 } },
    ],
    fallback,
  );
  const [third] = await opensTwo({ prefix, rules: changed });
  const messagesOf = async (topic: Topic): Promise<number | undefined> =>
    (await third.log.topicState(topic))?.messages;
  const counts = async (): Promise<unknown> => Promise.all(topics.map(messagesOf));
  let found: unknown;
  const areApplied = async (): Promise<boolean> => {
    await third.log.sweep();
    found = await counts();
    return JSON.stringify(found) === '[2,0,0]';
  };
  await until('the rules are applied', areApplied, { soFar: () => found });
  expect(found).toEqual([2, 0, 0]);
});

it('after a restart of Redis without a loss, the log goes on in a new epoch and old offsets are still good', async () => {
  const used = new Set<Interest>([news]);
  const options = { isInUse: (interest: Interest) => used.has(interest), usedInterests: () => used };
  const [one, two] = await opensTwo(options);
  const tail = tailOf(two.log);
  await one.log.append([{ topic: news, messageJson: '1' }]);
  await caughtUp(two);
  const { epoch } = two.log;
  await redis.kill();
  await redis.restart();
  await until('both servers have the new epoch', () => one.log.epoch !== epoch && two.log.epoch !== epoch);
  const outcomes = await one.log.append([{ topic: news, messageJson: '2' }]);
  expect(outcomes).toMatchObject([{ kind: 'appended', epoch: one.log.epoch, sequence: 2 }]);
  await caughtUp(two);
  expect(tail.map(({ epoch: its, sequence }) => [its, sequence])).toEqual([
    [epoch, 1],
    [one.log.epoch, 2],
  ]);
  const start = await two.log.locate(news, { kind: 'offset', offset: { epoch, sequence: 1 } });
  expect(start).toMatchObject({ recovered: true, due: 1 });
});

it('after Redis was emptied, servers declare the topics that their subscribers use', async () => {
  const used = new Set<Interest>([news]);
  const options = { isInUse: (interest: Interest) => used.has(interest), usedInterests: () => used };
  const [one] = await opensTwo(options);
  await create(one.log, other);
  const { epoch } = one.log;
  await redis.flushAll();
  const isBack = async (): Promise<boolean> => (await one.log.topicState(news)) !== undefined;
  await until('the topic is there again', isBack);
  expect(await one.log.topicState(other)).toBeUndefined();
  await until('the server has the new epoch', () => one.log.epoch !== epoch);
  expect(await one.log.append([{ topic: news, messageJson: '1' }])).toMatchObject([{ kind: 'appended' }]);
});
