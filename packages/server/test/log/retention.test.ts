import { parseInterest, parseTopic, type Topic } from '@fanfare/protocol';
import { expect, it } from 'vitest';
import { MemoryStore } from '../../src/log/store/memory-store.ts';
import type { Rule } from '../../src/rules/rule.ts';
import type { TopicLog } from '../../src/log/topic-log.ts';
import { openOver, type LocalLogUnderTest } from './open-local-log.ts';
import { contentsOf } from './steered-store.ts';

const a = parseTopic('a');
const b = parseTopic('b');
const everything = parseInterest('**');
const keep = { count: 1_000, ageMs: Infinity, bytes: Infinity };
const page = { recordsMax: 1_000_000, bytesMax: Infinity };

interface World extends LocalLogUnderTest {
  readonly store: MemoryStore;
}

function opens(some: Partial<typeof keep>, memoryBytesMax = Infinity): World {
  const store = new MemoryStore();
  const fallback: Rule = {
    match: everything,
    keep: { ...keep, ...some },
    create: 'publish',
    publishBytesMax: 1_000_000,
  };
  const limits = { topicsMax: 100_000, idWindowMs: 1_000, idsMax: 100_000 };
  return { store, ...openOver(store, { rules: [], fallback, ...limits }, { memoryBytesMax }) };
}

/** Lets retention remove everything that it can. */
async function settle({ advance, log }: LocalLogUnderTest, ms = 0): Promise<void> {
  await advance(ms);
  for (let commits = 0; commits < 100; commits++) await log.append([]);
}

async function messagesOf(log: TopicLog, topic: Topic): Promise<readonly number[]> {
  const { position } = await log.locate(topic, { kind: 'earliest' });
  return (await log.read(topic, position, page)).records.map(({ messageJson }) => Number(messageJson));
}

it('retention eventually removes everything that is not kept: chunks, blocks and ids', async () => {
  const world = opens({ ageMs: 2_000 });
  for (let at = 0; at < 100; at++) {
    await world.log.append([
      { topic: a, messageJson: String(at), id: String(at) },
      { topic: b, messageJson: String(at) },
    ]);
  }
  expect(contentsOf(world.store)).toEqual({ topics: 2, chunks: 200, blocks: 100, ids: 100 });
  await settle(world, 1_500);
  expect(contentsOf(world.store)).toEqual({ topics: 2, chunks: 200, blocks: 100, ids: 0 });
  await settle(world, 1_500);
  expect(contentsOf(world.store)).toEqual({ topics: 2, chunks: 0, blocks: 0, ids: 0 });
});

it('after a sweep, the store has no more than the rule allows', async () => {
  const world = opens({ count: 10 });
  for (let at = 0; at < 300; at++) await world.log.append([{ topic: a, messageJson: String(at) }]);
  await settle(world);
  expect(contentsOf(world.store)).toMatchObject({ chunks: 10, blocks: 10 });
  expect(await messagesOf(world.log, a)).toEqual([290, 291, 292, 293, 294, 295, 296, 297, 298, 299]);
});

it('a deleted topic is removed with everything it had, however large it is', async () => {
  const world = opens({ count: 100_000 });
  for (let at = 0; at < 1_500; at++) await world.log.append([{ topic: a, messageJson: String(at) }]);
  await world.log.append([{ topic: b, messageJson: '1' }]);
  expect(await world.log.deleteTopic(a)).toBe(true);
  await world.log.declareTopic(a);
  await settle(world);
  expect(contentsOf(world.store)).toEqual({ topics: 2, chunks: 1, blocks: 1, ids: 0 });
});

it('a block is kept as long as any of its topics has messages in it, and no longer', async () => {
  const world = opens({ count: 5 });
  const both = [a, b].map((topic) => ({ topic, messageJson: '1' }));
  await world.log.append(both);
  for (let at = 0; at < 500; at++) await world.log.append([{ topic: a, messageJson: '2' }]);
  await settle(world);
  expect(contentsOf(world.store)).toMatchObject({ chunks: 6, blocks: 6 });
  for (let at = 0; at < 5; at++) await world.log.append([{ topic: b, messageJson: '3' }]);
  await settle(world);
  expect(contentsOf(world.store)).toMatchObject({ chunks: 10, blocks: 10 });
});

it('the newest message of a batch is kept if its topic keeps one', async () => {
  const world = opens({ count: 1 });
  const batch = Array.from({ length: 3_000 }, (_, at) => ({ topic: a, messageJson: String(at) }));
  await world.log.append(batch);
  expect(await messagesOf(world.log, a)).toEqual([2_999]);
  await world.log.append(batch.slice(0, 10));
  expect(await messagesOf(world.log, a)).toEqual([9]);
  await settle(world);
  expect(contentsOf(world.store)).toMatchObject({ chunks: 1, blocks: 1 });
});

it.each([1, 2, 7, 100, 1_000])('a topic keeps %i bytes, and its newest message', async (bytes) => {
  const world = opens({ bytes });
  const messages = [5, 12, 123, 7, 99_999, 1, 22, 333, 4_444, 5, 66];
  for (const batch of [messages, messages, messages.slice(0, 3)]) {
    await world.log.append(batch.map((message) => ({ topic: a, messageJson: String(message) })));
    await world.advance(0);
    let [sum, from] = [0, 0];
    const all = [...messages, ...messages, ...messages.slice(0, 3)].slice(
      0,
      (await world.log.topicState(a))?.last?.sequence,
    );
    for (from = all.length; from > 0; from--) {
      sum += String(all[from - 1]).length;
      if (sum > bytes && from < all.length) break;
    }
    expect(await messagesOf(world.log, a)).toEqual(all.slice(from));
  }
});

it('the oldest messages of all topics are evicted when memory is short', async () => {
  const world = opens({}, 100_000);
  const text = 'x'.repeat(800);
  for (let at = 0; at < 400; at++) {
    await world.log.append([{ topic: at < 5 ? b : a, messageJson: JSON.stringify(text) }]);
  }
  await settle(world);
  // Each takes some 1,000 bytes.
  expect(contentsOf(world.store).chunks).toBeGreaterThan(90);
  expect(contentsOf(world.store).chunks).toBeLessThan(110);
  expect(await world.log.topicState(b)).toMatchObject({
    topic: 'b',
    messages: 0,
    last: { sequence: 5 },
    published: 5,
  });
  const { records } = await world.log.read(everything, { epoch: world.log.epoch, sequence: 0 }, page);
  expect(records.at(-1)?.sequence).toBe(400);
  expect(records).toHaveLength(contentsOf(world.store).chunks);
});

it('no more is evicted than necessary when memory is short, even if one commit cannot remove it all', async () => {
  const world = opens({ count: 100_000 }, 2_000_000);
  for (let at = 0; at < 3_000; at++) await world.log.append([{ topic: a, messageJson: '1' }]);
  const large = { topic: b, messageJson: JSON.stringify('x'.repeat(900_000)) };
  await world.log.append([large]);
  await world.log.append([large]);
  for (let at = 0; at < 20; at++) await world.log.append([{ topic: b, messageJson: '1' }]);
  await settle(world);
  expect((await world.log.topicState(a))?.messages).toBeGreaterThan(900);
  expect((await world.log.topicState(b))?.messages).toBe(22);
});

it('retention handles thousands of topics', async () => {
  const world = opens({ count: 2, ageMs: 1_000 });
  const topics = Array.from({ length: 5_000 }, (_, at) => parseTopic(`t/${at}`));
  for (let round = 0; round < 4; round++) {
    await world.log.append(topics.map((topic) => ({ topic, messageJson: String(round) })));
  }
  expect(await messagesOf(world.log, parseTopic('t/4999'))).toEqual([2, 3]);
  const { due } = await world.log.locate(everything, { kind: 'earliest' });
  expect(due).toBe(10_000);
  await settle(world);
  expect(contentsOf(world.store)).toMatchObject({ chunks: 10_000, blocks: 10 });
  await settle(world, 1_001);
  expect(contentsOf(world.store)).toEqual({ topics: 5_000, chunks: 0, blocks: 0, ids: 0 });
});

it('retention removes messages as fast as they come, to however many topics', async () => {
  const world = opens({ count: 1 });
  const batch = Array.from({ length: 2_048 }, (_, at) => ({
    topic: parseTopic(`t/${at}`),
    messageJson: '1',
  }));
  // There is always another commit to be made.
  await Promise.all(Array.from({ length: 20 }, () => world.log.append(batch)));
  expect(contentsOf(world.store).chunks).toBeLessThan(4 * batch.length);
});
