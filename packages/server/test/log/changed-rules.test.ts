import { parseInterest, parseTopic } from '@fanfare/protocol';
import { expect, it } from 'vitest';
import type { LocalTopicLog } from '../../src/log/local/local-topic-log.ts';
import { MemoryStore } from '../../src/log/store/memory-store.ts';
import type { Rule } from '../../src/rules/rule.ts';
import { openOver } from './open-local-log.ts';
import { contentsOf } from './steered-store.ts';

const topic = parseTopic('news');
const everything = parseInterest('**');
const keep = { count: 1_000, ageMs: Infinity, bytes: Infinity };
const page = { recordsMax: 1_000, bytesMax: 1_000_000 };

/** A store in memory that can be opened again. */
class LastingStore extends MemoryStore {
  override close(): Promise<void> {
    return Promise.resolve();
  }
}

/** Opens a log over a store, with one rule. */
async function opens(store: MemoryStore, kept: Rule['keep']): Promise<LocalTopicLog> {
  const fallback: Rule = { match: everything, keep: kept, create: 'publish', publishBytesMax: 1_000 };
  const options = { rules: [], fallback, topicsMax: 10, idWindowMs: 1_000, idsMax: 10 };
  const { log, advance } = openOver(store, options);
  await advance(0);
  return log;
}

async function recoveries(log: LocalTopicLog, sequence: number): Promise<readonly unknown[]> {
  const from = { kind: 'offset', offset: { epoch: log.epoch, sequence } } as const;
  const starts = await Promise.all([topic, everything].map((interest) => log.locate(interest, from)));
  return starts.map(({ recovered }) => recovered);
}

it('the log reports possible losses for the time in which a topic kept nothing', async () => {
  const store = new LastingStore();
  const message = { topic, messageJson: '1' };
  let log = await opens(store, keep);
  await log.append([message, message]);
  await log.close();
  log = await opens(store, 'none');
  expect(await log.topicState(topic)).toEqual({
    topic: 'news',
    messages: 0,
    last: { epoch: log.epoch, sequence: 2 },
    published: 0,
  });
  expect(await recoveries(log, 2)).toEqual([false, false]);
  await log.append([message]);
  await log.append([]);
  expect(contentsOf(store)).toMatchObject({ chunks: 0, blocks: 0 });
  await log.close();
  log = await opens(store, keep);
  expect(await recoveries(log, 2)).toEqual([false, false]);
  const { position } = await log.locate(topic, { kind: 'earliest' });
  await log.append([message]);
  expect(await log.read(topic, position, page)).toMatchObject({
    records: [{ sequence: 3, ordinal: 3 }],
    dropped: 0,
  });
  expect([await recoveries(log, 2), await recoveries(log, 3)]).toEqual([
    [false, false],
    [true, true],
  ]);
  await log.close();
  log = await opens(store, keep);
  expect([await recoveries(log, 2), await recoveries(log, 3)]).toEqual([
    [false, false],
    [true, true],
  ]);
});

it('a topic keeps as much as its new rule says from the next start of the server', async () => {
  const store = new LastingStore();
  let log = await opens(store, keep);
  for (let at = 0; at < 20; at++) await log.append([{ topic, messageJson: '1' }]);
  await log.close();
  log = await opens(store, { ...keep, count: 3 });
  expect(await log.topicState(topic)).toMatchObject({ messages: 3 });
  await log.close();
  log = await opens(store, keep);
  expect(await log.topicState(topic)).toMatchObject({ messages: 3 });
  expect(await recoveries(log, 16)).toEqual([false, false]);
  expect(await recoveries(log, 17)).toEqual([true, true]);
});
