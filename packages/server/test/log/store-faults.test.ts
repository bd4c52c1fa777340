import { parseInterest, parseTopic } from '@fanfare/protocol';
import { expect, it } from 'vitest';
import { StoreFailedError } from '../../src/log/store/store.ts';
import {
  LogBusyError,
  type LogRecord,
  type NewRecord,
  type TopicLog,
  LogFullError,
} from '../../src/log/topic-log.ts';
import type { Rule } from '../../src/rules/rule.ts';
import { openOver, type LocalLogUnderTest } from './open-local-log.ts';
import { SteeredStore, contentsOf } from './steered-store.ts';
import { create, tailOf } from '../contracts/log-under-test.ts';

const kept = parseTopic('kept');
const passing = parseTopic('passing');
const everything = parseInterest('**');
const keep = { count: 1_000, ageMs: Infinity, bytes: Infinity };
const fallback: Rule = { match: everything, keep, create: 'publish', publishBytesMax: 30_000_000 };
const rules: readonly Rule[] = [
  { ...fallback, match: passing, keep: 'none' },
  { ...fallback, match: parseTopic('few'), keep: { ...keep, count: 1 } },
  { ...fallback, match: parseTopic('absent'), create: 'subscribe' },
];
const options = { rules, fallback, topicsMax: 3, idWindowMs: 1_000, idsMax: 2 };
const page = { recordsMax: 1_000, bytesMax: 1_000_000 };
const full = new LogFullError('no room');

interface World extends LocalLogUnderTest {
  readonly store: SteeredStore;
  readonly tail: LogRecord[];
}

function opens(): World {
  const store = new SteeredStore();
  const under = openOver(store, options);
  return { ...under, store, tail: tailOf(under.log) };
}

const one: NewRecord = { topic: kept, messageJson: '1' };

it('nothing is appended or changed while the store is full, and appending continues after it has space', async () => {
  const { log, store, tail } = opens();
  await log.append([one]);
  store.failure = full;
  const asked = [
    log.append([{ ...one, id: 'a' }]),
    log.append([{ ...one, topic: parseTopic('new') }]),
    log.append([{ topic: passing, messageJson: '2' }, one]),
    log.declareTopic(kept),
    log.deleteTopic(kept),
  ];
  for (const answer of asked) await expect(answer).rejects.toBe(full);
  expect(log.head).toBe(1);
  expect(await log.topics({ prefix: '', limit: 9 })).toEqual([
    {
      topic: 'kept',
      messages: 1,
      last: { epoch: log.epoch, sequence: 1 },
      published: 1,
      lastTime: expect.any(Number) as number,
    },
  ]);
  expect(tail).toHaveLength(1);
  const { position } = await log.locate(everything, { kind: 'earliest' });
  expect((await log.read(everything, position, page)).records).toHaveLength(1);
  store.failure = undefined;
  // Neither the id nor a sequence was used up.
  expect(await log.append([{ ...one, id: 'a' }])).toMatchObject([{ kind: 'appended', sequence: 2 }]);
  expect(tail.map(({ sequence }) => sequence)).toEqual([1, 2]);
});

it('operations that need no store succeed while the store is full', async () => {
  const { log, store, tail } = opens();
  store.failure = full;
  const stored = log.append([{ ...one, id: 'a' }]);
  const unstored = log.append([{ topic: passing, messageJson: '2' }]);
  const absent = log.append([{ topic: parseTopic('absent'), messageJson: '3' }]);
  const same = log.append([{ ...one, id: 'a' }]);
  const deletion = log.deleteTopic(parseTopic('absent'));
  const created = create(log, kept);
  await expect(stored).rejects.toBe(full);
  // It is not a duplicate of a message that was not appended.
  await expect(same).rejects.toBe(full);
  expect(await unstored).toMatchObject([{ kind: 'appended', sequence: 0, stored: 'none' }]);
  expect(await absent).toEqual([{ kind: 'topic_not_found' }]);
  expect(await deletion).toBe(false);
  expect(await created).toBe('created');
  expect(tail.map(({ messageJson }) => messageJson)).toEqual(['2']);
  expect([await log.topicState(passing), await log.topicState(kept)]).toEqual([
    { topic: 'passing', messages: 0, published: 1, lastTime: expect.any(Number) as number },
    { topic: 'kept', messages: 0, published: 0 },
  ]);
});

it('topics that were created while the store was full are stored after it has space', async () => {
  const { log, store, advance } = opens();
  store.failure = full;
  await log.append([{ topic: passing, messageJson: '2' }]);
  await create(log, kept);
  store.failure = undefined;
  await advance(0);
  await advance(0);
  expect([...store.readTopics()].map(({ name }) => name)).toEqual(['passing', 'kept']);
});

it('a failing store gets no commits between sweeps, except for operations', async () => {
  const { log, store, advance, failures } = opens();
  store.failure = full;
  await create(log, kept);
  await advance(0);
  const { length } = store.commits;
  for (let times = 0; times < 10; times++) await log.append([]);
  expect(store.commits).toHaveLength(length);
  await advance(0);
  await advance(0);
  expect(store.commits.length).toBeGreaterThan(length);
  expect(failures).toContain(full);
});

it('retention frees space while nothing else can be stored', async () => {
  const { log, store, advance } = opens();
  const few = { topic: parseTopic('few'), messageJson: '1' };
  store.failure = full;
  store.isAffected = ({ removedChunks }) => removedChunks.length > 0;
  for (let times = 0; times < 10; times++) await log.append([few]).catch(() => {});
  expect(contentsOf(store).chunks).toBeGreaterThan(1);
  store.isAffected = ({ blocks }) => blocks.length > 0;
  await expect(log.append([one])).rejects.toBe(full);
  // Whatever clients do meanwhile.
  for (let sweeps = 0; sweeps < 3; sweeps++) {
    const asked = expect(log.append([one])).rejects.toBe(full);
    await advance(0);
    await asked;
  }
  expect(contentsOf(store)).toMatchObject({ chunks: 1, blocks: 1 });
});

it('reading continues after the store has failed for good', async () => {
  const { log, store } = opens();
  await log.append([one]);
  const failed = new StoreFailedError('gone');
  store.failure = failed;
  for (let times = 0; times < 3; times++) await expect(log.append([one])).rejects.toBe(failed);
  const { position } = await log.locate(kept, { kind: 'earliest' });
  expect(await log.read(kept, position, page)).toMatchObject({ records: [{ sequence: 1 }], isAtHead: true });
  await log.close();
});

it('appends are refused when too many wait for a slow store', async () => {
  const { log, store } = opens();
  const held = store.hold('late');
  const inFlight = log.append([one]);
  const { succeed } = await held;
  const large = { topic: kept, messageJson: `"${'x'.repeat(20_000_000)}"` };
  const waiting = [log.append([large]), log.append([large]), log.append([large])];
  await expect(log.append([large])).rejects.toBeInstanceOf(LogBusyError);
  succeed();
  for (const answer of [inFlight, ...waiting]) expect(await answer).toMatchObject([{ kind: 'appended' }]);
  expect(await log.append([large])).toMatchObject([{ kind: 'appended', sequence: 5 }]);
});

it('a topic is created after a deletion that is being committed', async () => {
  const { log, store } = opens();
  await log.append([one]);
  const held = store.hold('late');
  const deletion = log.deleteTopic(kept);
  const { succeed } = await held;
  const creation = create(log, kept);
  const appended = log.append([one]);
  expect(await log.topicState(kept)).toMatchObject({ messages: 1 });
  succeed();
  expect(await deletion).toBe(true);
  expect(await creation).toBe('created');
  expect(await appended).toMatchObject([{ kind: 'appended', sequence: 2 }]);
  expect(await log.topicState(kept)).toMatchObject({
    topic: 'kept',
    messages: 1,
    last: { epoch: log.epoch, sequence: 2 },
    published: 1,
  });
});

it('a topic is created only once while a publish that creates it is being committed', async () => {
  const { log, store } = opens();
  const held = store.hold('late');
  const appended = log.append([one]);
  const { succeed } = await held;
  const created = create(log, kept);
  succeed();
  expect(await appended).toMatchObject([{ kind: 'appended' }]);
  expect(await created).toBe('existed');
  expect(await log.topics({ prefix: '', limit: 9 })).toHaveLength(1);
});

it('a topic is created after the publish that was to create it has failed', async () => {
  const { log, store } = opens();
  const held = store.hold('late');
  const appended = log.append([one]);
  const { fail } = await held;
  const created = create(log, kept);
  fail(full);
  await expect(appended).rejects.toBe(full);
  expect(await created).toBe('created');
});

it('the limit of topics counts topics that are being created', async () => {
  const { log, store } = opens();
  const records = ['1', '2', '3'].map((topic) => ({ topic: parseTopic(topic), messageJson: '1' }));
  const held = store.hold('late');
  const appended = log.append(records);
  const { succeed } = await held;
  const created = create(log, kept);
  succeed();
  expect(await created).toBe('topics_exhausted');
  expect((await appended).map(({ kind }) => kind)).toEqual(['appended', 'appended', 'appended']);
});

it('a log closes after all earlier operations are settled', async () => {
  const { log, store, tail } = opens();
  const held = store.hold('late');
  const first = log.append([one]);
  const { succeed } = await held;
  const second = log.append([one]);
  const created = create(log, parseTopic('other'));
  let isClosed = false;
  const closing = log.close().then(() => (isClosed = true));
  await log.append([one]).catch(() => {});
  expect(isClosed).toBe(false);
  succeed();
  expect([await first, await second].flat()).toMatchObject([{ kind: 'appended' }, { kind: 'appended' }]);
  await closing;
  await created;
  expect(tail).toHaveLength(2);
  expect([...store.readTopics()].map(({ name }) => name)).toEqual(['kept', 'other']);
});

it.each(['early', 'late'] as const)(
  'readers get nothing from a commit that is not stored yet (%s), and miss nothing of it afterwards',
  async (mode) => {
    const { log, store, advance } = opens();
    const few = { topic: parseTopic('few'), messageJson: '1' };
    for (let times = 0; times < 5; times++) await log.append([few, one]);
    const held = store.hold(mode);
    const appended = log.append([few, one, { ...one, messageJson: '2' }]);
    const { commit, succeed } = await held;
    expect(commit.removedChunks.length).toBeGreaterThan(0);
    expect(await everythingOf(log)).toEqual({ few: [9], kept: [2, 4, 6, 8, 10], all: [2, 4, 6, 8, 9, 10] });
    expect(log.head).toBe(10);
    expect(await log.topicState(kept)).toMatchObject({
      messages: 5,
      last: { epoch: log.epoch, sequence: 10 },
    });
    const deleted = log.deleteTopic(few.topic);
    succeed();
    await appended;
    await deleted;
    await advance(0);
    const kepts = [2, 4, 6, 8, 10, 12, 13];
    expect(await everythingOf(log)).toEqual({ few: [], kept: kepts, all: kepts });
  },
);

/** The sequences of all messages, read by topic, and with a pattern from every position. */
async function everythingOf(log: TopicLog): Promise<Record<string, readonly number[]>> {
  const read = async (interest: typeof everything | typeof kept): Promise<number[]> => {
    const { position } = await log.locate(interest, { kind: 'earliest' });
    const { records, isAtHead } = await log.read(interest, position, page);
    expect(isAtHead).toBe(true);
    return records.map(({ sequence }) => sequence);
  };
  const [few, all] = [await read(parseTopic('few')), await read(everything)];
  for (let sequence = 0; sequence <= log.head; sequence++) {
    const { position, due } = await log.locate(everything, {
      kind: 'offset',
      offset: { epoch: log.epoch, sequence },
    });
    const { records } = await log.read(everything, position, page);
    expect(records.map((record) => record.sequence)).toEqual(all.filter((place) => place > sequence));
    expect(due).toBe(records.length);
  }
  return { few, kept: await read(kept), all };
}

it('the log is known not to be writable after a failed commit, until one succeeds or ten seconds have passed', async () => {
  const { log, store, advance } = opens();
  expect(log.isWritable).toBe(true);
  store.failure = full;
  await expect(log.append([one])).rejects.toBe(full);
  expect(log.isWritable).toBe(false);
  // Nobody publishes here while a load balancer sends publishers elsewhere.
  await advance(10_000);
  expect(log.isWritable).toBe(true);
  await expect(log.append([one])).rejects.toBe(full);
  expect(log.isWritable).toBe(false);
  store.failure = undefined;
  await log.append([one]);
  expect(log.isWritable).toBe(true);
});
