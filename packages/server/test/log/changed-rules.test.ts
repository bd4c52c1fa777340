import { parseInterest, parseTopic } from '@fanfare/protocol';
import { expect, it } from 'vitest';
import type { LocalTopicLog } from '../../src/log/local/local-topic-log.ts';
import { MemoryStore } from '../../src/log/store/memory-store.ts';
import { Rules, type Rule } from '../../src/rules/rule.ts';
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

function ruleOf(kept: Rule['keep']): Rule {
  return { match: everything, keep: kept, create: 'publish', publishBytesMax: 1_000 };
}

/** Opens a log over a store, with a rule that can change. */
function opensReloadable(
  store: MemoryStore,
  kept: Rule['keep'],
): { log: LocalTopicLog; advance: (ms: number) => Promise<void>; reload: (kept: Rule['keep']) => void } {
  const limits = { topicsMax: 10_000, unusedPerSubjectMax: 10 };
  const rules = new Rules([ruleOf(kept)], ruleOf(keep));
  const options = { rules: [], fallback: ruleOf(keep), topicsMax: 10_000, idWindowMs: 1_000, idsMax: 10 };
  const { log, advance } = openOver(store, options, { rules });
  const reload = (next: Rule['keep']): void => {
    rules.replace([ruleOf(next)]);
    log.reconfigure(limits, true);
  };
  return { log, advance, reload };
}

/** Opens a log over a store, with one rule. */
async function opens(store: MemoryStore, kept: Rule['keep']): Promise<LocalTopicLog> {
  const options = { rules: [], fallback: ruleOf(kept), topicsMax: 10, idWindowMs: 1_000, idsMax: 10 };
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

it('a reload that changes what a topic keeps tells readers of the loss, as a restart does', async () => {
  const store = new LastingStore();
  const message = { topic, messageJson: '1' };
  const { log, advance, reload } = opensReloadable(store, keep);
  await log.append([message, message]);
  reload('none');
  await advance(0);
  expect(contentsOf(store)).toMatchObject({ chunks: 0, blocks: 0 });
  expect(await log.topicState(topic)).toMatchObject({ messages: 0 });
  expect(await recoveries(log, 2)).toEqual([false, false]);
  expect(await log.append([message])).toMatchObject([{ stored: 'none' }]);
  reload(keep);
  expect(await recoveries(log, 2)).toEqual([false, false]);
  const { position } = await log.locate(topic, { kind: 'earliest' });
  expect(await log.append([message])).toMatchObject([{ sequence: 3, stored: 'memory' }]);
  expect(await log.read(topic, position, page)).toMatchObject({ records: [{ sequence: 3, ordinal: 3 }] });
  const expected = [
    [false, false],
    [true, true],
  ];
  expect([await recoveries(log, 2), await recoveries(log, 3)]).toEqual(expected);
  await log.close();
  const again = await opens(store, keep);
  expect([await recoveries(again, 2), await recoveries(again, 3)]).toEqual(expected);
  expect(await again.topicState(topic)).toMatchObject({ messages: 1 });
});

it('a message after a reload is kept, even if the log is not closed and has thousands of changed topics', async () => {
  const store = new LastingStore();
  const { log, advance, reload } = opensReloadable(store, 'none');
  const topics = Array.from({ length: 2_500 }, (_, at) => parseTopic(`t${at}`));
  for (const one of topics) await log.declareTopic(one);
  await advance(0);
  const last = topics.at(-1) ?? topic;
  await log.append([{ topic: last, messageJson: '1' }]);
  reload(keep);
  // One commit writes the records of a thousand topics only.
  await log.append([{ topic: last, messageJson: '2' }]);
  const again = opensReloadable(store, keep).log;
  expect(await again.topicState(last)).toMatchObject({ messages: 1 });
});

it('a reload removes at once what a topic no longer keeps', async () => {
  const store = new LastingStore();
  const { log, advance, reload } = opensReloadable(store, keep);
  for (let at = 0; at < 20; at++) await log.append([{ topic, messageJson: '1' }]);
  reload({ ...keep, count: 3 });
  expect(await log.topicState(topic)).toMatchObject({ messages: 3 });
  reload(keep);
  await log.append([{ topic, messageJson: '1' }]);
  await advance(0);
  expect(await log.topicState(topic)).toMatchObject({ messages: 4 });
  expect(await recoveries(log, 16)).toEqual([false, false]);
  expect(await recoveries(log, 17)).toEqual([true, true]);
});

it('a reload during a commit applies after it', async () => {
  const store = new LastingStore();
  const { log, reload } = opensReloadable(store, 'none');
  await log.append([{ topic, messageJson: '1' }]);
  const during = log.declareTopic(parseTopic('other'));
  const commit = store.commit.bind(store);
  let reloads = 0;
  store.commit = async (...args) => {
    if (reloads++ === 0) reload(keep);
    await commit(...args);
  };
  await during;
  expect(reloads).toBe(1);
  expect(await recoveries(log, 1)).toEqual([false, false]);
  expect(await log.append([{ topic, messageJson: '2' }])).toMatchObject([{ sequence: 1, stored: 'memory' }]);
  expect([await recoveries(log, 0), await recoveries(log, 1)]).toEqual([
    [false, false],
    [true, true],
  ]);
});
