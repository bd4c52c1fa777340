import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseInterest, parseTopic } from '@fanfare/protocol';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openLmdbStore } from '../../src/log/store/lmdb/lmdb-store.ts';
import { MemoryStore } from '../../src/log/store/memory-store.ts';
import type { Store, StoreCommit } from '../../src/log/store/store.ts';
import { LogDamagedError } from '../../src/log/topic-log.ts';
import type { Rule } from '../../src/rules/rule.ts';
import {
  exportStore,
  ImportError,
  importStore,
  openStore,
  verifyStore,
  type StoreCounts,
} from '../../src/store-tools/index.ts';
import { StoreBuilder } from '../../src/store-tools/store-builder.ts';
import { openOver } from '../log/open-local-log.ts';
import { SteeredStore } from '../log/steered-store.ts';

const fallback: Rule = {
  match: parseInterest('**'),
  keep: { count: 1_000, ageMs: Infinity, bytes: Infinity },
  create: 'publish',
  publishBytesMax: 1_000_000,
};

const options = { rules: [], fallback, topicsMax: 100, idWindowMs: 1_000, idsMax: 1_000 };

function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'fanfare-tools-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

async function verify(store: Store): Promise<{ counts: StoreCounts; damages: string[] }> {
  const damages: string[] = [];
  const counts = await verifyStore(store, {
    now: Date.now,
    onDamage: (sentence) => damages.push(sentence),
    onNotice: () => {},
  });
  return { counts, damages };
}

async function exported(
  store: Store,
  interest?: string,
): Promise<{ lines: string[]; damages: string[]; counts: StoreCounts }> {
  const damages: string[] = [];
  let text = '';
  const counts = await exportStore(store, {
    ...(interest !== undefined && { interest: parseInterest(interest) }),
    onDamage: (sentence) => damages.push(sentence),
    write: async (lines) => void (text += lines),
  });
  return { lines: text.trimEnd().split('\n'), damages, counts };
}

/** The part of an export that is the same in every copy of the log. */
function contentOf(lines: readonly string[]): readonly string[] {
  return lines.slice(1).map((line) => line.replace(/,"offset":"[^"]+"/, ''));
}

async function* inPieces(lines: readonly string[], size = 3): AsyncIterable<readonly string[]> {
  for (let at = 0; at < lines.length; at += size) yield lines.slice(at, at + size);
}

/** Two topics with a message in each of five blocks: the blocks are 1, 3, 5, 7 and 9. */
async function filled(): Promise<SteeredStore> {
  const store = new SteeredStore();
  const { log, advance } = openOver(store, options);
  for (let at = 1; at <= 5; at++) {
    await advance(100);
    await log.append([
      { topic: parseTopic('a'), messageJson: String(at), ...(at === 2 && { id: 'two' }) },
      { topic: parseTopic('b'), messageJson: `${at}.0` },
    ]);
  }
  await log.close();
  return store;
}

/** The store of {@link filled}, with some damage. */
function damagedStore(store: Store, isDamaged: { chunk?: string; block?: number; topic?: number }): Store {
  const check = <T>(items: Iterable<T>, isBad: (item: T) => boolean): Iterable<T> =>
    (function* () {
      for (const item of items) {
        if (isBad(item)) throw new LogDamagedError('damaged');
        yield item;
      }
    })();
  const checkOne = <T>(item: T | undefined, isBad: (item: T) => boolean): T | undefined => {
    if (item !== undefined && isBad(item)) throw new LogDamagedError('damaged');
    return item;
  };
  const isBadChunk = (chunk: { topic: number; block: number }): boolean =>
    `${chunk.topic}/${chunk.block}` === isDamaged.chunk;
  const isBadBlock = ({ first }: { first: number }): boolean => first === isDamaged.block;
  return {
    level: store.level,
    diskBytes: store.diskBytes,
    readState: () => store.readState(),
    readTopics: (from) => check(store.readTopics(from), ({ number }) => number === isDamaged.topic),
    readIds: (from) => store.readIds(from),
    readBlocks: (from) => check(store.readBlocks(from), isBadBlock),
    blockBefore: (block) => checkOne(store.blockBefore(block), isBadBlock),
    readChunks: (topic, from) => check(store.readChunks(topic, from), isBadChunk),
    chunkBefore: (topic, block) => checkOne(store.chunkBefore(topic, block), isBadChunk),
    chunk: (topic, block) => checkOne(store.chunk(topic, block), isBadChunk),
    commit: (commit) => store.commit(commit),
    close: () => store.close(),
  };
}

describe('verifying', () => {
  it('verification finds no damage in an empty store', async () => {
    expect(await verify(new MemoryStore())).toEqual({
      counts: { topics: 0, messages: 0, bytes: 0, damages: 0 },
      damages: [],
    });
  });

  it('verification counts topics, messages and bytes', async () => {
    expect(await verify(await filled())).toEqual({
      counts: { topics: 2, messages: 10, bytes: 20, damages: 0 },
      damages: [],
    });
  });

  it('verification finds no damage after any publishes, deletions and drops', async () => {
    const topic = fc.constantFrom('a', 'b', 'c', 'd/e').map((name) => parseTopic(name));
    const step = fc.oneof(
      {
        weight: 6,
        arbitrary: fc.record({ append: fc.array(fc.tuple(topic, fc.string()), { minLength: 1 }) }),
      },
      { weight: 1, arbitrary: fc.record({ remove: topic }) },
      { weight: 1, arbitrary: fc.record({ declare: topic }) },
      { weight: 2, arbitrary: fc.record({ advance: fc.constantFrom(0, 100, 10_000) }) },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const store = new MemoryStore();
        const keep = { count: 5, ageMs: 5_000, bytes: 60 };
        const { log, advance } = openOver(store, { ...options, fallback: { ...fallback, keep } });
        for (const one of steps) {
          if ('append' in one)
            await log.append(
              one.append.map(([name, text]) => ({ topic: name, messageJson: JSON.stringify(text) })),
            );
          else if ('remove' in one) await log.deleteTopic(one.remove);
          else if ('declare' in one) await log.declareTopic(one.declare);
          else await advance(one.advance);
        }
        await log.close();
        expect((await verify(store)).damages).toEqual([]);
        const { counts, damages } = await exported(store);
        expect([counts.damages, damages]).toEqual([0, []]);
      }),
      { numRuns: 100 },
    );
  });

  it.each([1, 3, 5, 7, 9])('verification finds that messages of block %i are missing', async (block) => {
    const store = await filled();
    store.lostChunks.push({ topic: 1, block });
    expect((await verify(store)).damages).toEqual(
      expect.arrayContaining([`Messages of topic 'a' in block ${block} are missing.`]),
    );
  });

  it.each([1, 3, 5, 7])('a missing block %i does not hide its missing messages', async (block) => {
    const store = await filled();
    store.lostChunks.push({ topic: 1, block }, { topic: 2, block });
    store.lostBlocks.push(block);
    expect((await verify(store)).damages).toEqual([
      `1 message of topic 'a' before block ${block + 2} is missing.`,
      `1 message of topic 'b' before block ${block + 2} is missing.`,
    ]);
  });

  it('verification finds that a block is missing', async () => {
    const store = await filled();
    store.lostBlocks.push(5);
    expect((await verify(store)).damages).toEqual(['The list of topics of block 5 is missing.']);
  });

  it.each([
    [{ chunk: '1/5' }, "Messages of topic 'a' in block 5 are damaged.", 9],
    [{ chunk: '2/9' }, "Messages of topic 'b' in block 9 are damaged.", 9],
    [{ block: 5 }, 'The list of topics of block 5 is damaged.', 10],
    [{ topic: 1 }, 'The record of topic number 1 is damaged.', 10],
    [{ topic: 2 }, 'The record of topic number 2 is damaged.', 10],
  ])('verification names what is damaged, and continues: %j', async (what, sentence, messages) => {
    const { counts, damages } = await verify(damagedStore(await filled(), what));
    expect(damages).toEqual([sentence]);
    expect(counts).toMatchObject({ messages, damages: 1 });
  });

  it.each<[string, (commit: StoreCommit) => StoreCommit, RegExp]>([
    [
      'a message too many',
      (commit) => ({
        ...commit,
        chunks: commit.chunks.map((chunk) => ({ ...chunk, records: [...chunk.records, ...chunk.records] })),
      }),
      /does not have the messages/,
    ],
    [
      'an ordinal twice',
      (commit) => ({ ...commit, chunks: commit.chunks.map((chunk) => ({ ...chunk, ordinal: 1 })) }),
      /does not continue the previous one/,
    ],
    [
      'another time',
      (commit) => ({ ...commit, chunks: commit.chunks.map((chunk) => ({ ...chunk, time: 1 })) }),
      /a different time/,
    ],
    [
      'time going back',
      (commit) => ({
        ...commit,
        blocks: commit.blocks.map((block) => ({ ...block, time: block.first < 9 ? block.time : 1 })),
      }),
      /older than/,
    ],
    [
      'a head too low',
      (commit) => ({ ...commit, state: { ...commit.state, head: 3 } }),
      /which is the end of the log/,
    ],
    [
      'a topic twice',
      (commit) => ({
        ...commit,
        topics: [...commit.topics, ...commit.topics.map((topic) => ({ ...topic, number: 90 }))],
      }),
      /exists twice/,
    ],
    [
      'a topic without a record',
      (commit) => ({ ...commit, removedTopics: [1] }),
      /record of topic number 1 is missing/,
    ],
  ])('verification finds %s', async (_what, change, sentence) => {
    const { commits } = await filled();
    const store = new MemoryStore();
    for (const commit of commits) await store.commit(change(commit));
    expect((await verify(store)).damages.join('\n')).toMatch(sentence);
  });
});

describe('exporting', () => {
  it('an export has a header, the topics, the messages in the order of the log, and an end', async () => {
    const { lines } = await exported(await filled());
    expect(lines.map((line) => JSON.parse(line) as Record<string, unknown>)).toMatchObject([
      { fanfare: 1, head: 10, topics: 2 },
      { topic: 'a', declared: false },
      { topic: 'b', declared: false },
      { topic: 'a', message: 1 },
      { topic: 'b', message: 1 },
      { topic: 'a', message: 2, id: 'two' },
      ...Array.from({ length: 7 }, () => ({})),
      { end: true, messages: 10 },
    ]);
    expect(lines[4]).toMatch(/^\{"topic":"b","message":1\.0,"offset":"[^"]+\.2","time":\d+\}$/);
  });

  it('an export has only the topics that match', async () => {
    const { lines } = await exported(await filled(), 'b');
    expect(lines.filter((line) => line.includes('"topic":"a"'))).toEqual([]);
    expect(lines).toHaveLength(8);
  });

  it.each([
    [{ chunk: '1/5' }, 9, 'left out'],
    [{ block: 5 }, 10, undefined],
    [{ topic: 1 }, 10, 'topic number 1'],
  ])('an export leaves out what is damaged, and reports it: %j', async (what, messages, sentence) => {
    const { lines, damages, counts } = await exported(damagedStore(await filled(), what));
    expect(counts.messages).toBe(messages);
    expect(lines.filter((line) => line.includes('"message":'))).toHaveLength(messages);
    if (sentence === undefined) expect(damages).toEqual([]);
    else expect(damages).toEqual([expect.stringContaining(sentence)]);
  });

  it('an export has messages of topics with an unreadable name under lost+found', async () => {
    const { lines } = await exported(damagedStore(await filled(), { topic: 2 }), '**');
    expect(lines.filter((line) => line.includes('"topic":"lost+found/2"'))).toHaveLength(6);
  });
});

/** JSON texts without white space. Parsing and printing would change some of them. */
const messageJson = fc.oneof(
  fc.json().map((text) => JSON.stringify(JSON.parse(text))),
  fc.constantFrom(
    '1.0',
    '12345678901234567890',
    '1e400',
    '"\\u0041"',
    '"\u2028é😀"',
    '{"a":1,"a":2}',
    '-0.0',
    '[[]]',
  ),
);

describe('importing', () => {
  it('an import restores every message, topic, time and id, character for character', async () => {
    const message = fc.record({
      name: fc.constantFrom('a', 'b', 'c/d', 'é "x"'),
      messageJson,
      // The clock may have been set back.
      later: fc.constantFrom(0, 0, 1, 1_000, -1, -3_000_000_000),
      id: fc.option(fc.stringMatching(/^[a-zé]{1,9}$/), { nil: undefined }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(message, { maxLength: 40 }), async (messages) => {
        const first = new MemoryStore();
        const importer = new StoreBuilder(first, { epoch: 'first', now: 1_700_000_000_000, idsSince: 0 });
        importer.addTopic(parseTopic('declared'), true);
        let time = 1_700_000_000_000;
        for (const { name, messageJson: text, later, id } of messages) {
          time += later;
          importer.add({ topic: parseTopic(name), messageJson: text, time, ...(id !== undefined && { id }) });
        }
        await importer.commit();
        expect((await verify(first)).damages).toEqual([]);
        const before = await exported(first);

        const directory = join(temporaryDirectory(), 'data');
        const counts = await importStore(directory, { lines: inPieces(before.lines), now: Date.now });
        expect(counts).toEqual(before.counts);
        const second = await openStore(directory);
        expect((await verify(second)).damages).toEqual([]);
        const after = await exported(second);
        await second.close();
        expect(contentOf(after.lines)).toEqual(contentOf(before.lines));
        expect(JSON.parse(after.lines[0] ?? '')).not.toMatchObject({ epoch: 'first' });
      }),
      { numRuns: 15 },
    );
  });

  it('an import takes several commits, and can be opened as a log, which remembers ids', async () => {
    const directory = temporaryDirectory();
    const now = Date.now();
    const lines = Array.from({ length: 10_000 }, (_, at) =>
      JSON.stringify({
        topic: `t${at % 3}`,
        message: at,
        time: now - 10_000 + at,
        ...(at === 9_999 && { id: 'x' }),
      }),
    );
    await importStore(directory, { lines: inPieces(lines, 500), now: () => now });
    const store = await openLmdbStore(directory);
    expect((await verify(store)).counts).toMatchObject({ messages: 10_000, topics: 3, damages: 0 });
    const { log } = openOver(store, { ...options, idWindowMs: Number.MAX_SAFE_INTEGER / 4 });
    expect(await log.append([{ topic: parseTopic('t0'), messageJson: '9999', id: 'x' }])).toMatchObject([
      { kind: 'duplicate', sequence: 10_000, time: now - 1 },
    ]);
    await log.close();
  });

  it.each([
    [['{"fanfare":2}'], 'Line 1 cannot be imported: the export has format 2'],
    [['{"fanfare":1}', '{"topic":"a","declared":true}'], 'is incomplete'],
    [
      Array.from({ length: 300 }, (_, at) => `{"topic":"a","message":1,"time":${300 - at}}`),
      'Line 102 cannot be imported: its time goes back, and times have gone back before (limit: 100 times).',
    ],
    [['{"topic":"a","message":1}'], 'Line 1 cannot be imported: time must be'],
    [
      ['{"topic":"a*/*","message":1,"time":1}'],
      'Line 1 cannot be imported: The topic must not have the segment',
    ],
    [['{"topic":"a","time":1}'], 'Line 1 cannot be imported: it has no message'],
    [['{"topic":"a","message":1,"time":1,"id":5}'], 'Line 1 cannot be imported: The id must be'],
    [['[1]'], 'Line 1 cannot be imported: A line takes one object'],
    [['x'], 'Line 1 cannot be imported: '],
    [
      ['{"fanfare":1}', '{"end":true}', '{"end":true}'],
      'Line 3 cannot be imported: it comes after the end of the export',
    ],
    [[], 'the input is empty'],
  ])('an import refuses %j, and leaves nothing behind', async (lines, sentence) => {
    const parent = temporaryDirectory();
    const importing = importStore(join(parent, 'data'), { lines: inPieces(lines), now: Date.now });
    await expect(importing).rejects.toThrow(ImportError);
    await expect(importing).rejects.toThrow(sentence);
    expect(readdirSync(parent)).toEqual([]);
  });

  it('an import refuses a directory that is not empty', async () => {
    const directory = temporaryDirectory();
    const line = '{"topic":"a","message":1,"time":1}';
    const importing = (): Promise<StoreCounts> =>
      importStore(directory, { lines: inPieces([line]), now: Date.now });
    await importing();
    await expect(importing()).rejects.toThrow('already has a log');
    const other = temporaryDirectory();
    writeFileSync(join(other, 'notes.txt'), 'mine');
    await expect(importStore(other, { lines: inPieces([line]), now: Date.now })).rejects.toThrow(
      "it has 'notes.txt'",
    );
    expect(readdirSync(other)).toEqual(['notes.txt']);
  });
});

describe('a data file with a byte that has changed', () => {
  it('a changed byte in a data file is reported as damage, and everything else is exported', async () => {
    const directory = temporaryDirectory();
    const lines = Array.from({ length: 50 }, (_, at) =>
      JSON.stringify({
        topic: `t${at % 2}`,
        message: `message number ${at} ${'x'.repeat(100)}`,
        time: 1 + at,
      }),
    );
    await importStore(directory, { lines: inPieces(lines), now: Date.now });
    const path = join(directory, 'log.mdb');
    const data = readFileSync(path);
    const at = data.indexOf('message number 20 ');
    expect(at).toBeGreaterThan(0);
    data[at] = 'M'.charCodeAt(0);
    const copy = temporaryDirectory();
    mkdirSync(join(copy, 'data'));
    writeFileSync(join(copy, 'data', 'log.mdb'), data);
    const store = await openStore(join(copy, 'data'));
    const { counts, damages } = await verify(store);
    expect(damages).toEqual(["Messages of topic 't0' in block 21 are damaged."]);
    expect(counts).toMatchObject({ messages: 49, damages: 1 });
    const { lines: kept, counts: keptCounts } = await exported(store);
    expect(keptCounts).toMatchObject({ messages: 49, damages: 1 });
    expect(kept.join('\n')).not.toContain('number 20 ');
    await store.close();
  });
});
