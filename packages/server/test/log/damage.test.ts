import { parseInterest, parseTopic, type From, type Interest } from '@fanfare/protocol';
import { describe, expect, it } from 'vitest';
import { LogDamagedError, type TopicLog } from '../../src/log/topic-log.ts';
import type { Rule } from '../../src/rules/rule.ts';
import { openOver, type LocalLogUnderTest } from './open-local-log.ts';
import { SteeredStore } from './steered-store.ts';

const a = parseTopic('a');
const b = parseTopic('b');
const everything = parseInterest('**');
const keep = { count: 1_000, ageMs: Infinity, bytes: Infinity };
const fallback: Rule = { match: everything, keep, create: 'publish', publishBytesMax: 1_000 };
const options = { rules: [], fallback, topicsMax: 10, idWindowMs: 1_000, idsMax: 10 };

interface World extends LocalLogUnderTest {
  readonly store: SteeredStore;
}

/** A log with five blocks. Each of them has a message of two topics: 1 to 5, and 10 to 50. */
async function opens(some: Partial<typeof keep> = {}): Promise<World> {
  const store = new SteeredStore();
  const rule = { ...fallback, keep: { ...keep, ...some } };
  const under = openOver(store, { ...options, fallback: rule });
  for (let at = 1; at <= 5; at++) {
    await under.advance(100);
    await under.log.append([
      { topic: a, messageJson: String(at) },
      { topic: b, messageJson: String(at * 10) },
    ]);
  }
  return { ...under, store };
}

/** Reads one message after the other to the end. @throws what reading throws */
async function readAll(log: TopicLog, interest: Interest, from: From): Promise<readonly number[]> {
  let { position } = await log.locate(interest, from);
  const messages: number[] = [];
  for (let isAtHead = false; !isAtHead;) {
    const page = await log.read(interest, position, { recordsMax: 1, bytesMax: 100 });
    messages.push(...page.records.map(({ messageJson }) => Number(messageJson)));
    ({ position, isAtHead } = page);
  }
  return messages;
}

describe.each([1, 3, 5, 7, 9])('when the chunk of the topic at %i is lost', (block) => {
  const froms = ({ log, startTime }: World): From[] => [
    { kind: 'earliest' },
    { kind: 'last', count: 5 },
    { kind: 'time', ms: startTime + Math.ceil(block / 2) * 100 },
    { kind: 'offset', offset: { epoch: log.epoch, sequence: block - 1 } },
  ];

  it('a reader of a topic or pattern with a lost chunk gets an error, not the messages after the chunk', async () => {
    const world = await opens();
    world.store.lostChunks.push({ topic: 1, block });
    for (const from of froms(world)) {
      await expect(readAll(world.log, a, from)).rejects.toThrow(LogDamagedError);
      await expect(readAll(world.log, everything, from)).rejects.toThrow(LogDamagedError);
    }
  });

  it('messages outside a lost chunk can be read', async () => {
    const world = await opens();
    world.store.lostChunks.push({ topic: 1, block });
    expect(await readAll(world.log, b, { kind: 'earliest' })).toEqual([10, 20, 30, 40, 50]);
    const offset = { epoch: world.log.epoch, sequence: Math.min(block + 2, 10) };
    const after = [1, 2, 3, 4, 5].filter((at) => at * 2 - 1 > block + 2);
    expect(await readAll(world.log, a, { kind: 'offset', offset })).toEqual(after);
  });

  it('a reader gets an error if the list of blocks is lost too, as long as later messages exist', async () => {
    const world = await opens();
    world.store.lostChunks.push({ topic: 1, block });
    world.store.lostBlocks.push(block);
    for (const from of froms(world)) {
      // Only the blocks know the position of a time.
      if (from.kind === 'time') continue;
      const reading = readAll(world.log, everything, from);
      if (block < 9) await expect(reading).rejects.toThrow(LogDamagedError);
      else await reading.catch(() => {});
    }
  });
});

it('a reader gets an error if only the record of a block is lost', async () => {
  const { log, store } = await opens();
  store.lostBlocks.push(5);
  await expect(readAll(log, everything, { kind: 'earliest' })).rejects.toThrow(LogDamagedError);
  expect(await readAll(log, a, { kind: 'earliest' })).toEqual([1, 2, 3, 4, 5]);
});

it('messages that were dropped are not reported as damaged', async () => {
  const { log, advance } = await opens({ count: 2 });
  await advance(0);
  expect(await readAll(log, everything, { kind: 'earliest' })).toEqual([4, 40, 5, 50]);
  await log.deleteTopic(a);
  await advance(0);
  expect(await readAll(log, everything, { kind: 'earliest' })).toEqual([40, 50]);
});

it('a topic that cannot be trimmed is reported once, and other topics are trimmed', async () => {
  const { log, store, advance, failures } = await opens({ count: 5 });
  const readChunks = store.readChunks.bind(store);
  store.readChunks = (topic, from) => {
    if (topic === 1) throw new LogDamagedError('damaged');
    return readChunks(topic, from);
  };
  for (let at = 1; at <= 10; at++) {
    await log.append([
      { topic: a, messageJson: '1' },
      { topic: b, messageJson: '1' },
    ]);
    await advance(0);
  }
  expect(failures).toEqual([new LogDamagedError('damaged')]);
  expect([...readChunks(2, 0)]).toHaveLength(5);
});
