import {
  parseInterest,
  parseTopic,
  type From,
  type Offset,
  type Pattern,
  type Topic,
} from '@fanfare/protocol';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { AppendReply } from '../../../src/log/redis/library.ts';
import {
  LogDamagedError,
  type LogRecord,
  type NewRecord,
  type Position,
} from '../../../src/log/topic-log.ts';
import { LogFunctions } from '../../../src/log/redis/log-functions.ts';
import { Rules, type Rule } from '../../../src/rules/rule.ts';
import { RedisServer } from '../../redis/redis-server.ts';
import { FunctionLog, type FunctionLogOptions } from './function-log.ts';

const news = parseTopic('news');
const other = parseTopic('other');
const page = { recordsMax: 100, bytesMax: 1_000_000 };
const minute = 60_000;
const hour = 60 * minute;

let redis: RedisServer;
let another: RedisServer;
let opened: FunctionLog[] = [];

beforeAll(async () => {
  [redis, another] = await Promise.all([RedisServer.start(), RedisServer.start()]);
});

afterAll(() => Promise.all([redis.kill(), another.kill()]));

afterEach(() => {
  for (const log of opened) log.close();
  opened = [];
});

async function opens(options?: FunctionLogOptions, on = redis): Promise<FunctionLog> {
  const log = await FunctionLog.open(on, options);
  opened.push(log);
  return log;
}

/** A log that has begun, with its state. */
async function begins(options?: FunctionLogOptions): Promise<FunctionLog> {
  const log = await opens(options);
  await log.functions.hello('node', undefined);
  return log;
}

const textsOf = (records: readonly LogRecord[]): string[] => records.map(({ messageJson }) => messageJson);

const placesOf = (records: readonly Offset[]): string[] =>
  records.map(({ epoch, sequence }) => `${epoch}.${sequence}`);

const offset = (epoch: string, sequence: number): From => ({ kind: 'offset', offset: { epoch, sequence } });

async function readAll(log: FunctionLog, topic: Topic): Promise<readonly LogRecord[]> {
  const { value } = await log.functions.reading.locate(topic, { kind: 'earliest' });
  return (await log.functions.reading.page(topic, value.position, page)).value.records;
}

describe('runs on Redis', () => {
  it('runs that the log has lost since they were named are empty, and are not taken for damage', async () => {
    const log = await begins();
    await log.append(news, 1, 2, 3);
    const { state, value } = await log.functions.reading.runs({ epoch: '', sequence: 0 });
    expect(value.runs).toMatchObject([{ topic: news, count: 3 }]);
    const read = async (): Promise<readonly string[][]> => {
      const records = await log.functions.reading.records(state.epoch, value.runs, 1_000);
      return records.value.map(textsOf);
    };
    expect(await read()).toEqual([['1', '2', '3']]);
    await log.empty();
    await log.append(news, 4);
    expect(await read()).toEqual([[]]);
  });
});

describe('batches on Redis', () => {
  it('a batch that is sent again under its number is appended once, and has the same result', async () => {
    const log = await begins();
    const batches = ['1', '2', '3'].map((messageJson) => log.batch([{ topic: news, messageJson }]));
    const replies: AppendReply[] = [];
    for (const batch of [...batches, ...batches]) replies.push(await log.functions.append(batch));
    expect(replies.slice(0, 3)).toEqual(replies.slice(3));
    expect(textsOf(await readAll(log, news))).toEqual(['1', '2', '3']);
  });

  it('a batch that comes after a later one of its node, or too late, is not appended', async () => {
    const log = await begins();
    const records = [{ topic: news, messageJson: '1' }];
    const early = log.batch(records);
    const late = log.batch(records);
    expect(await log.functions.append(late)).toMatchObject({ kind: 'done' });
    expect(await log.functions.append(early)).toEqual({ kind: 'superseded' });
    const { clock } = await log.functions.state();
    const expired = log.batch(records, { validUntil: clock - 1 });
    expect(await log.functions.append(expired)).toEqual({ kind: 'late' });
    // A batch that was applied in time is answered with its result.
    expect(await log.functions.append({ ...late, validUntil: clock - 1 })).toMatchObject({ kind: 'done' });
    // The numbers of other nodes do not matter.
    expect(await log.functions.append({ ...early, node: 'other' })).toMatchObject({ kind: 'done' });
    expect((await readAll(log, news)).length).toBe(2);
  });

  it('a batch has one frame, with the exact text of its messages and everything that subscribers get', async () => {
    const log = await begins({ topicsMax: 2 });
    await log.functions.reading.open(
      other,
      { kind: 'new' },
      { node: 'node', subject: 'ann', isInUse: false },
    );
    const texts = ['1.0', '"é😀\\u0000"', '12345678901234567890', '{"a":[]}', '""'];
    const told = [
      { messageJson: texts[0] },
      { messageJson: texts[1], id: 'i1' },
      { messageJson: texts[2], publisher: '' },
      { messageJson: texts[3], id: 'i3', publisher: 'bob' },
      { messageJson: texts[4], publisher: 'bob' },
    ] as readonly { readonly messageJson: string }[];
    const records: NewRecord[] = [];
    for (const each of told) records.push({ topic: news, ...each, subject: 'ann' });
    await log.functions.append(log.batch(records));
    await log.append(parseTopic('third'), 7);
    const [first, frame, last] = await log.framesUpTo(3);
    const { epoch } = await log.functions.state();
    const time = frame?.time ?? 0;
    expect(first).toMatchObject({ epoch, batch: 1, headBefore: 0, head: 0, records: [], deleted: [] });
    expect(frame).toEqual({
      epoch,
      batch: 2,
      headBefore: 0,
      head: 5,
      time,
      records: told.map((each, at) =>
        Object.assign({}, each, { topic: news, epoch, sequence: at + 1, ordinal: at + 1, time }),
      ),
      deleted: [],
    });
    expect(await readAll(log, news)).toEqual(frame?.records);
    // The limit of topics made the log forget a name.
    expect(last).toMatchObject({ batch: 3, headBefore: 5, head: 6, deleted: [other] });
  });

  it('everything after a place comes in the order of the log, in parts, with the gaps', async () => {
    const log = await begins({ keep: { count: 3 } });
    await log.append(news, 1, 2);
    await log.append(other, 3);
    await log.append(news, 4, 5);
    const { epoch } = await log.functions.state();
    const since = (
      sequence: number,
      recordsMax = 100,
      bytesMax = 1_000,
    ): ReturnType<typeof log.functions.since> =>
      log.functions.since({ epoch, sequence }, { recordsMax, bytesMax });
    const all = await since(1);
    expect(textsOf(all.records)).toEqual(['2', '3', '4', '5']);
    expect(all).toMatchObject({ through: 5, isComplete: true, hasGap: false });
    expect(await since(0)).toMatchObject({ hasGap: true, isComplete: true });
    const part = await since(1, 2);
    expect(textsOf(part.records)).toEqual(['2', '3']);
    expect(part).toMatchObject({ through: 3, isComplete: false });
    expect(textsOf((await since(3, 100, 1)).records)).toEqual(['4']);
    expect(await since(5)).toMatchObject({ records: [], through: 5, isComplete: true, hasGap: false });
    await log.functions.topics.delete(news);
    expect(await since(3)).toMatchObject({ records: [], through: 5, isComplete: true, hasGap: true });
  });
});

describe('epochs on Redis', () => {
  /** A log with five messages on one Redis, and a copy of it after the third. */
  async function copied(): Promise<{ log: FunctionLog; older: ReadonlyMap<string, Buffer>; epoch: string }> {
    const log = await begins();
    await log.append(news, 1, 2, 3);
    const older = await log.copy();
    await log.append(news, 4, 5);
    const { epoch } = await log.functions.state();
    return { log, older, epoch };
  }

  it('a Redis that has not written a log begins a new epoch, in which sequences go on', async () => {
    const { log, epoch } = await copied();
    const next = await opens({ prefix: log.prefix }, another);
    await next.restore(await log.copy());
    const state = await next.functions.state();
    expect(state).toMatchObject({ head: 5, lineage: [{ epoch, sequence: 5 }] });
    expect(state.epoch).not.toBe(epoch);
    expect((await next.framesUpTo(1))[0]).toMatchObject({ epoch: state.epoch, headBefore: 5, head: 5 });
    await next.append(news, 6);
    // Records keep the offset that they were given.
    expect(placesOf(await readAll(next, news))).toEqual(
      [1, 2, 3, 4, 5].map((sequence) => `${epoch}.${sequence}`).concat(`${state.epoch}.6`),
    );
    const { value } = await next.functions.reading.locate(news, offset(epoch, 4));
    expect(value).toMatchObject({ recovered: true, due: 2, position: { epoch: state.epoch, sequence: 4 } });
    expect((await next.functions.since({ epoch, sequence: 4 }, page)).records).toHaveLength(2);
    expect(await next.functions.state()).toMatchObject({ epoch: state.epoch });
  });

  it('an older copy of a log never gives a lost place to another message, whoever appends first', async () => {
    const { log, older, epoch } = await copied();
    const next = await opens({ prefix: log.prefix }, another);
    await next.restore(older);
    const batch = next.batch([{ topic: news, messageJson: '"4"' }], { seen: { epoch, sequence: 2 } });
    expect(await next.functions.append(batch)).toEqual({ kind: 'adopted' });
    const reply = await next.functions.append(batch);
    const { epoch: newer } = await next.functions.state();
    expect(reply).toMatchObject({ outcomes: [{ kind: 'appended', epoch: newer, sequence: 4 }] });
    expect(newer).not.toBe(epoch);
    const located = async (from: From): Promise<unknown> =>
      (await next.functions.reading.locate(news, from)).value;
    expect(await located(offset(epoch, 3))).toMatchObject({ recovered: true, due: 1 });
    // Reading starts after the last common message.
    expect(await located(offset(epoch, 4))).toMatchObject({ recovered: false, due: 1 });
    expect(await located(offset(epoch, 5))).toMatchObject({ recovered: false, due: 1 });
    expect(await located(offset('other', 2))).toMatchObject({ recovered: false, due: 4 });
    expect(await located(offset(newer, 9))).toMatchObject({ recovered: false, due: 4 });
  });

  it('an older copy that is restored into a running Redis begins a new epoch', async () => {
    const { log, older, epoch } = await copied();
    await log.restore(older);
    const state = await log.functions.state();
    expect(state).toMatchObject({ head: 3, lineage: [{ epoch, sequence: 3 }] });
    expect(state.epoch).not.toBe(epoch);
    const again = await log.copy();
    await log.append(news, '"4"');
    await log.restore(again);
    const third = await log.functions.state();
    expect(third.lineage).toEqual([
      { epoch, sequence: 3 },
      { epoch: state.epoch, sequence: 3 },
    ]);
  });

  it('a copy that is restored into a Redis that was emptied begins a new epoch', async () => {
    const { log, older, epoch } = await copied();
    await log.empty();
    await log.functions.state();
    await log.restore(older);
    const state = await log.functions.state();
    expect(state).toMatchObject({ head: 3, lineage: [{ epoch, sequence: 3 }] });
    expect(state.epoch).not.toBe(epoch);
  });

  it('reading is the first call after a failover, and continues at the last common message', async () => {
    const { log, older, epoch } = await copied();
    await log.restore(older);
    const { reading } = log.functions;
    const position: Position = { epoch, sequence: 5, ordinal: 5 };
    expect((await reading.page(news, position, page)).value).toMatchObject({
      dropped: 'unknown',
      records: [],
    });
    await log.append(news, '"4"', '"5"');
    const { value } = await reading.page(news, position, page);
    expect(value).toMatchObject({ dropped: 'unknown', isAtHead: true });
    expect(textsOf(value.records)).toEqual(['"4"', '"5"']);
    expect((await reading.page(news, value.position, page)).value).toMatchObject({ dropped: 0, records: [] });
    const runs = (await reading.runs({ epoch, sequence: 5, changes: 0 })).value;
    expect(runs).toMatchObject({ lost: { isUnknown: true }, runs: [{ topic: news, sequence: 4, count: 2 }] });
    const before = await reading.before(news, { epoch, sequence: 6 }, page);
    expect(textsOf(before.value.records)).toEqual(['1', '2', '3']);
  });

  it('a Redis that was emptied begins another log', async () => {
    const { log, epoch } = await copied();
    await log.empty();
    const { value } = await log.functions.reading.locate(news, offset(epoch, 5));
    expect(value).toMatchObject({ recovered: false, due: 0 });
    const state = await log.functions.state();
    expect(state).toMatchObject({ head: 0, lineage: [] });
    expect(state.epoch).not.toBe(epoch);
    await log.functions.topics.use('node', [other]);
    await log.append(news, 1);
    expect((await log.functions.topics.list({ prefix: '', limit: 9 })).map(({ topic }) => topic)).toEqual([
      news,
      other,
    ]);
  });

  it('a duplicate is answered with the place of the first message, in its epoch', async () => {
    const log = await begins();
    const batch = log.batch([{ topic: news, messageJson: '1', id: 'i' }]);
    const first = await log.functions.append(batch);
    const next = await opens({ prefix: log.prefix }, another);
    await next.restore(await log.copy());
    await next.functions.state();
    const [outcome] = first.kind === 'done' ? first.outcomes : [];
    const again = await next.functions.append({ ...batch, number: 2 });
    expect(again).toEqual({ kind: 'done', outcomes: [{ ...outcome, kind: 'duplicate' }] });
    // The result of a batch that was sent before the failover is still known.
    expect(await next.functions.append(batch)).toEqual(first);
  });

  it('a node that has seen more than the log has makes it begin a new epoch', async () => {
    const { log, epoch } = await copied();
    expect((await log.functions.state({ epoch, sequence: 5 })).epoch).toBe(epoch);
    const { epoch: second } = await log.functions.state({ epoch, sequence: 6 });
    expect(second).not.toBe(epoch);
    expect((await log.functions.hello('node', { epoch: second, sequence: 6 })).epoch).not.toBe(second);
  });
});

type EpochStep =
  | { readonly do: 'append'; readonly on: number; readonly count: number }
  | { readonly do: 'copy'; readonly from: number }
  | { readonly do: 'restore'; readonly on: number; readonly copy: number }
  | { readonly do: 'ask'; readonly on: number }
  | { readonly do: 'empty'; readonly on: number };

const on = fc.integer({ min: 0, max: 1 });

const anyEpochStep: fc.Arbitrary<EpochStep> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant('append' as const), on, count: fc.integer({ min: 1, max: 3 }) }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('copy' as const), from: on }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('restore' as const), on, copy: fc.nat(9) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('ask' as const), on }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('empty' as const), on }) },
);

it('a place is never given to two messages, however copies of a log come and go on two servers', async () => {
  const isSame = async (steps: readonly EpochStep[]): Promise<void> => {
    const one = await opens();
    const logs = [one, await opens({ prefix: one.prefix }, another)] as const;
    const places = new Map<string, string>();
    const copies: ReadonlyMap<string, Buffer>[] = [];
    const give = (place: string, message: string): void => {
      expect([place, places.get(place) ?? message]).toEqual([place, message]);
      places.set(place, message);
    };
    let messages = 0;
    for (const step of steps) {
      if (step.do === 'copy') copies.push(await (logs[step.from] ?? one).copy());
      else {
        const log = logs[step.on] ?? one;
        const copy = step.do === 'restore' ? copies.at(step.copy % Math.max(1, copies.length)) : undefined;
        if (copy) await log.restore(copy);
        else if (step.do === 'empty') await log.empty();
        else if (step.do === 'ask') await log.functions.state();
        else if (step.do === 'append') {
          const texts = Array.from({ length: step.count }, () => String(++messages));
          const outcomes = await log.append(news, ...texts);
          const given = outcomes.map((outcome) =>
            'sequence' in outcome ? `${outcome.epoch}.${outcome.sequence}` : '',
          );
          for (const [at, text] of texts.entries()) give(given[at] ?? '', text);
          // What is read later has the places that were given.
          for (const record of await readAll(log, news))
            give(`${record.epoch}.${record.sequence}`, record.messageJson);
        }
      }
    }
    for (const log of logs) await log.empty();
    for (const log of logs) log.close();
  };
  const anySteps = fc.array(anyEpochStep, { minLength: 5, maxLength: 25 });
  await fc.assert(fc.asyncProperty(anySteps, isSame), { numRuns: 25 });
});

describe('the upkeep of a log on Redis', () => {
  it('a clock that jumps forward drops no message before it has run on for an hour', async () => {
    const log = await begins({ keep: { ageMs: hour } });
    await log.setClock(hour);
    await log.append(news, 1);
    let now = 1_000 * hour;
    const passes = async (ms: number): Promise<void> => {
      await log.setClock((now += ms));
      await log.sweep();
    };
    await passes(0);
    await log.append(news, 2);
    for (let minutes = 0; minutes < 59; minutes++) await passes(minute);
    expect(textsOf(await readAll(log, news))).toEqual(['1', '2']);
    await passes(minute);
    expect(textsOf(await readAll(log, news))).toEqual(['2']);
    await passes(1);
    expect(textsOf(await readAll(log, news))).toEqual([]);
  });

  it('messages from a clock that was ahead are dropped by the clock that was set right', async () => {
    const log = await begins({ keep: { ageMs: hour } });
    await log.setClock(1_000 * hour);
    await log.append(news, 1);
    await log.sweep();
    let now = 10 * hour;
    const passes = async (ms: number): Promise<void> => {
      await log.setClock((now += ms));
      await log.sweep();
    };
    await passes(0);
    for (let minutes = 0; minutes < 59; minutes++) await passes(minute);
    expect(textsOf(await readAll(log, news))).toEqual(['1']);
    for (let minutes = 0; minutes < 3; minutes++) await passes(minute);
    expect(textsOf(await readAll(log, news))).toEqual([]);
    const at = async (ms: number): Promise<unknown> =>
      (await log.functions.reading.locate(news, { kind: 'time', ms })).value.due;
    await log.append(news, 2);
    expect([await at(now), await at(now + 1)]).toEqual([1, 0]);
  });

  it('the sweep removes from the journal what is not stored any more, and only that', async () => {
    const log = await begins({ keep: { count: 2 } });
    await log.append(other, 0);
    for (let at = 1; at <= 1_200; at++) await log.append(news, at);
    for (let sweeps = 0; sweeps < 4; sweeps++) await log.sweep();
    expect(await log.redis.command('XLEN', `${log.prefix}j`)).toBe(3);
    const runs = (await log.functions.reading.runs({ epoch: '', sequence: 0 })).value.runs;
    expect(runs.map(({ topic, sequence }) => [topic, sequence])).toEqual([
      [other, 1],
      [news, 1_200],
      [news, 1_201],
    ]);
  });

  it('a topic that any node uses is not forgotten until that node leaves it, leaves, or is gone', async () => {
    const log = await begins({ topicsMax: 3, keep: 'none' });
    const { topics, reading } = log.functions;
    const opensFor = (node: string, topic: Topic): Promise<unknown> =>
      reading.open(topic, { kind: 'new' }, { node, subject: undefined, isInUse: true });
    await log.setClock(hour);
    for (const node of ['one', 'two', 'three']) await topics.use(node, []);
    const [a, b, c] = ['a', 'b', 'c'].map(parseTopic) as [Topic, Topic, Topic];
    await opensFor('one', a);
    await opensFor('two', b);
    await opensFor('three', c);
    const names = async (): Promise<unknown> =>
      (await topics.list({ prefix: '', limit: 9 })).map(({ topic }) => topic);
    expect(await topics.declare(news)).toBe('topics_exhausted');
    await topics.touch('one', [{ topic: a, isInUse: false }]);
    expect(await topics.declare(news)).toBe('created');
    expect(await names()).toEqual([b, c, news]);
    await topics.leave('two');
    expect(await topics.declare(other)).toBe('created');
    expect(await names()).toEqual([c, news, other]);
    await log.setClock(hour + 9_000);
    await topics.sweep('one', '-');
    expect(await topics.declare(a)).toBe('topics_exhausted');
    await log.setClock(hour + 11_000);
    await topics.sweep('one', '-');
    expect(await topics.declare(a)).toBe('created');
  });

  it('revocations are added and removed by subject, and their version tells others', async () => {
    const log = await begins();
    const { topics } = log.functions;
    const stored = await topics.revocations();
    expect(stored.revocations).toEqual([]);
    const [ann, nobody] = [
      { subject: 'ann', time: 5, ahead: [] },
      { subject: '', time: 6, ahead: [7, 8] },
    ] as const;
    await topics.revoke(ann, []);
    await topics.revoke({ ...nobody, ahead: [] }, []);
    await topics.revoke(nobody, []);
    const { revocations, version } = await topics.revocations();
    expect(revocations.toSorted((a, b) => a.time - b.time)).toEqual([ann, nobody]);
    expect(version).not.toBe(stored.version);
    expect(await topics.sweep('node', '-')).toMatchObject({ revocationsVersion: version });
    await topics.revoke(nobody, ['ann', 'bob']);
    expect((await topics.revocations()).revocations).toEqual([nobody]);
  });

  it('the patterns of nodes are told to others until their node leaves them or is gone', async () => {
    const log = await begins();
    const { topics } = log.functions;
    const [a, b] = ['a/*', 'b/**'].map(parseInterest) as [Pattern, Pattern];
    for (const node of ['one', 'two']) await topics.use(node, []);
    const read = async (): Promise<unknown> => (await topics.patterns('')).patterns.toSorted();
    expect(await read()).toEqual([]);
    await topics.cover('one', [{ pattern: a, isInUse: true }]);
    await topics.cover(
      'two',
      [a, b].map((pattern) => ({ pattern, isInUse: true })),
    );
    expect(await read()).toEqual([a, b]);
    const { version } = await topics.patterns('');
    expect(await topics.patterns(version)).toEqual({ version, patterns: [] });
    await topics.cover('two', [{ pattern: a, isInUse: false }]);
    expect(await read()).toEqual([a, b]);
    await topics.leave('one');
    expect(await read()).toEqual([b]);
    await topics.leave('two');
    expect(await read()).toEqual([]);
  });
});

describe('a log on Redis that is not as it should be', () => {
  it.each([
    ['meta', 'set'],
    ['names', 'set'],
    ['j', 'set'],
    ['lineage', 'set'],
  ])('a key of the log with the wrong type is refused: %s', async (key) => {
    const log = await begins();
    await log.append(news, 1);
    await log.redis.command('SET', `${log.prefix}${key}`, 'foreign');
    await expect(log.functions.hello('node', undefined)).rejects.toThrow(LogDamagedError);
  });

  it('messages that are missing in the list of a topic are damage, for reading and for appending', async () => {
    const log = await begins();
    await log.append(news, 1, 2, 3);
    const { epoch } = await log.functions.state();
    await log.redis.command('RPOP', `${log.prefix}m:news`);
    const batch = log.batch([{ topic: news, messageJson: '4' }]);
    await expect(log.functions.append(batch)).rejects.toThrow(LogDamagedError);
    await expect(readAll(log, news)).rejects.toThrow("Messages of the topic 'news' are missing");
    await expect(log.functions.since({ epoch, sequence: 0 }, page)).rejects.toThrow(LogDamagedError);
    await log.redis.command('LSET', `${log.prefix}m:news`, 0, 'short');
    await expect(readAll(log, news)).rejects.toThrow(LogDamagedError);
  });

  it('keys of a log without its state, and a log of another format, are refused with what to do', async () => {
    const log = await begins();
    await log.append(news, 1);
    const meta = `${log.prefix}meta`;
    await log.redis.command('HSET', meta, 'format', '9');
    await expect(log.functions.state()).rejects.toThrow('Use another prefix, or the version of Fanfare');
    await log.redis.command('DEL', meta);
    await expect(log.functions.state()).rejects.toThrow(LogDamagedError);
  });

  it('a Redis that removes keys when its memory is full is refused', async () => {
    const log = await begins();
    await redis.configSet('maxmemory-policy', 'allkeys-lru');
    const hello = log.functions.hello('node', undefined);
    await expect(hello).rejects.toThrow('Set it to noeviction.');
    await redis.configSet('maxmemory-policy', 'noeviction');
  });

  it('a Redis that forgets the variables of a library is refused', async () => {
    const options = { rules: new Rules([], {} as Rule), topicsMax: 1, idsMax: 1, idWindowMs: 1 };
    const reply = [Buffer.from('e'), 0, 0, 0, [], 1];
    const functions = new LogFunctions(() => Promise.resolve(reply), {
      ...options,
      unusedPerSubjectMax: 1,
      level: () => 'memory',
    });
    await expect(functions.hello('node', undefined)).rejects.toThrow('does not keep the variables');
  });

  it('a Redis without memory refuses appends as a whole, still reads, and has space after a deletion', async () => {
    const log = await begins();
    await log.append(other, 1);
    await redis.configSet('maxmemory', 1);
    const batch = log.batch([
      { topic: news, messageJson: '1' },
      { topic: parseTopic('third'), messageJson: '2' },
    ]);
    await expect(log.functions.append(batch)).rejects.toThrow('OOM');
    expect(textsOf(await readAll(log, other))).toEqual(['1']);
    const subscriber = { node: 'node', subject: undefined, isInUse: true };
    expect((await log.functions.reading.open(other, { kind: 'new' }, subscriber)).value).toMatchObject({
      creation: 'existed',
    });
    await log.sweep();
    expect(await log.functions.topics.delete(other)).toBe(true);
    await redis.configSet('maxmemory', 0);
    expect(await log.functions.append(batch)).toMatchObject({ kind: 'done' });
    expect(await log.functions.state()).toMatchObject({ head: 3 });
  });
});
