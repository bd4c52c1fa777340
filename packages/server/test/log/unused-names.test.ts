import { parseInterest, parseTopic, type Topic } from '@fanfare/protocol';
import { describe, expect, it } from 'vitest';
import { LogFullError, type TopicLog } from '../../src/log/topic-log.ts';
import type { Rule } from '../../src/rules/rule.ts';
import { heapBytes } from '../heap.ts';
import { openOver, type LocalLogUnderTest } from './open-local-log.ts';
import { contentsOf, SteeredStore } from './steered-store.ts';
import { create } from '../contracts/log-under-test.ts';

const full = new LogFullError('no room');
const everything = parseInterest('**');
const keep = { count: 1_000, ageMs: 1_000, bytes: Infinity };
const fallback: Rule = { match: everything, keep, create: 'subscribe', publishBytesMax: 1_000 };
const passing: Rule = { ...fallback, match: parseInterest('passing/*'), keep: 'none', create: 'publish' };
const [a, b, c] = ['a', 'b', 'c'].map(parseTopic) as [Topic, Topic, Topic];

interface World extends LocalLogUnderTest {
  readonly store: SteeredStore;
  readonly inUse: Set<Topic>;
}

function opens(
  topicsMax: number,
  {
    store = new SteeredStore(),
    unusedPerSubjectMax,
  }: { store?: SteeredStore; unusedPerSubjectMax?: number } = {},
): World {
  const inUse = new Set<Topic>();
  const under = openOver(store, {
    rules: [passing],
    fallback,
    topicsMax,
    ...(unusedPerSubjectMax !== undefined && { unusedPerSubjectMax }),
    idWindowMs: 1_000,
    idsMax: 10,
    isInUse: (topic) => inUse.has(topic),
  });
  return { ...under, store, inUse };
}

async function namesOf(log: TopicLog): Promise<string[]> {
  return (await log.topics({ prefix: '', limit: 100 })).map(({ topic }) => topic);
}

function storedNames(store: SteeredStore): string[] {
  return [...store.readTopics()].map(({ name }) => name);
}

it('a forgotten topic leaves the store in the same commit that gives its place to another one', async () => {
  const { log, store, advance } = opens(2);
  await log.declareTopic(a);
  await create(log, b);
  await advance(0);
  expect(storedNames(store)).toEqual(['a', 'b']);
  expect(await log.declareTopic(c)).toBe('created');
  expect(store.commits.at(-1)).toMatchObject({ topics: [{ name: 'c' }], removedTopics: [2] });
  expect(storedNames(store)).toEqual(['a', 'c']);
});

it('a topic that is forgotten with its last message leaves nothing in the store', async () => {
  const { log, store, advance } = opens(1);
  await create(log, a);
  await log.append([{ topic: a, messageJson: '1' }]);
  const swept = advance(2_000);
  expect(await log.declareTopic(b)).toBe('created');
  await swept;
  expect(storedNames(store)).toEqual(['b']);
  expect(contentsOf(store)).toMatchObject({ topics: 1, chunks: 0, blocks: 0 });
});

it('a name stays when the store is too full for the commit that forgets it', async () => {
  const { log, store, advance } = opens(1);
  await create(log, a);
  await advance(0);
  store.failure = full;
  await expect(create(log, b)).rejects.toBe(full);
  await expect(log.declareTopic(b)).rejects.toBe(full);
  expect(await namesOf(log)).toEqual(['a']);
  store.failure = undefined;
  expect(await create(log, b)).toBe('created');
  await advance(0);
  expect(storedNames(store)).toEqual(['b']);
});

it('a subscription creates its topic again while a commit is forgetting it', async () => {
  const { log, store, inUse, advance } = opens(2);
  for (const topic of [a, b]) await create(log, topic);
  await advance(0);
  const held = store.hold('late');
  const created = log.declareTopic(c);
  const { commit, succeed } = await held;
  expect(commit.removedTopics).toEqual([1]);
  // It still exists, and would not a moment later.
  expect(await log.topicState(a)).toBeDefined();
  inUse.add(a);
  const subscribed = create(log, a);
  const published = log.append([{ topic: a, messageJson: '1' }]);
  succeed();
  expect([await created, await subscribed]).toEqual(['created', 'created']);
  expect(await published).toMatchObject([{ kind: 'appended' }]);
  expect(await namesOf(log)).toEqual(['a', 'c']);
});

it('a topic stays with its new subscriber when the commit fails that would have forgotten it', async () => {
  const { log, store, inUse, advance } = opens(2);
  for (const topic of [a, b]) await create(log, topic);
  await advance(0);
  const held = store.hold('late');
  const created = log.declareTopic(c);
  const { fail } = await held;
  inUse.add(a);
  const subscribed = create(log, a);
  fail(full);
  await expect(created).rejects.toBe(full);
  expect(await subscribed).toBe('existed');
  // The next topic replaces the other one.
  expect(await log.declareTopic(c)).toBe('created');
  expect(await namesOf(log)).toEqual(['a', 'c']);
});

it('a reader that resumes after a crash learns what it missed of a forgotten topic that was never stored', async () => {
  const { log, store } = opens(1);
  await log.append([{ topic: parseTopic('passing/1'), messageJson: '1' }]);
  await create(log, b);
  const again = opens(1, { store });
  const offset = { epoch: again.log.epoch, sequence: 0 };
  expect(await again.log.locate(passing.match, { kind: 'offset', offset })).toMatchObject({
    recovered: false,
  });
});

it('a lowered limit is reached by new topics that replace several names each', async () => {
  const before = opens(200);
  for (let at = 0; at < 200; at++)
    await (at < 3
      ? before.log.declareTopic(parseTopic(`name ${at}`))
      : create(before.log, parseTopic(`name ${at}`)));
  await before.advance(0);
  const { log, advance } = opens(5, { store: before.store });
  for (const topic of [a, b, c]) expect(await create(log, topic)).toBe('created');
  expect((await namesOf(log)).length).toBeGreaterThan(5);
  expect(await create(log, parseTopic('d'))).toBe('created');
  expect(await namesOf(log)).toEqual(['c', 'd', 'name 0', 'name 1', 'name 2']);
  await advance(0);
  expect(storedNames(before.store)).toHaveLength(5);
});

describe('a subject that holds more names than its limit', () => {
  const mine = (count: number, prefix = 'ann'): Topic[] =>
    Array.from({ length: count }, (_, at) => parseTopic(`passing/${prefix} ${at}`));

  it('a subject loses its own names when it creates them faster than the store commits', async () => {
    const { log, store } = opens(10, { unusedPerSubjectMax: 3 });
    for (const topic of mine(3, 'bob')) await create(log, topic, 'bob');
    const held = store.hold('late');
    await create(log, a, 'ann');
    const { succeed } = await held;
    for (const topic of mine(6)) await create(log, topic, 'ann');
    const rest = create(log, b, 'ann');
    succeed();
    await rest;
    expect(await namesOf(log)).toEqual(expect.arrayContaining(mine(3, 'bob')));
  });

  it('a subject loses none of its own names to a topic that it subscribes to', async () => {
    const { log, inUse } = opens(10, { unusedPerSubjectMax: 3 });
    for (const topic of mine(7, 'bob')) await create(log, topic);
    for (const topic of mine(3)) await create(log, topic, 'ann');
    inUse.add(a);
    await create(log, a, 'ann');
    expect(await namesOf(log)).toEqual(['a', ...mine(3), ...mine(7, 'bob').slice(1)].toSorted());
  });
});

it('names that come and go take no memory', async () => {
  const { log, store } = opens(10);
  const many = async (count: number, what: string): Promise<void> => {
    for (let at = 0; at < count; at++) {
      await create(log, parseTopic(`${what} ${at}`));
      if (at % 2 === 0) await log.append([{ topic: parseTopic(`passing/${what} ${at}`), messageJson: '1' }]);
      store.commits.length = 0;
    }
  };
  await many(5_000, 'warm-up');
  const before = heapBytes();
  await many(20_000, 'name');
  expect(heapBytes() - before).toBeLessThan(1_000_000);
  expect(contentsOf(store).topics).toBeLessThanOrEqual(10);
});

it('names that come and go take no memory while nothing can be stored', async () => {
  const { log, store, advance } = opens(10);
  store.failure = full;
  const many = async (count: number, what: string): Promise<void> => {
    for (let at = 0; at < count; at++) {
      expect(await create(log, parseTopic(`${what} ${at}`))).toBe('created');
      store.commits.length = 0;
    }
  };
  await many(2_000, 'warm-up');
  const before = heapBytes();
  await many(20_000, 'name');
  expect(heapBytes() - before).toBeLessThan(1_000_000);
  store.failure = undefined;
  await advance(0);
  await advance(0);
  expect(await namesOf(log)).toHaveLength(10);
  expect(storedNames(store).toSorted()).toEqual(await namesOf(log));
});
