import { isDeepStrictEqual } from 'node:util';
import { parseTopic } from '@fanfare/protocol';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { StoreFailedError } from '../../src/log/store/store.ts';
import type {
  Block,
  Chunk,
  ChunkRecord,
  Deletion,
  IdBlock,
  LogState,
  Store,
  StoreCommit,
  TopicRecord,
} from '../../src/log/store/store.ts';

/** How a store is opened, and opened again if it survives closing. */
export interface StoreUnderTest {
  readonly open: () => Promise<Store>;
  readonly reopen?: (closed: Store) => Promise<Store>;
  /** How many generated histories it has the time for. */
  readonly runs: number;
}

/** The contract of {@link Store}, for every store. */
export function storeContract(name: string, { open, reopen, runs }: StoreUnderTest): void {
  describe(`${name}, as a store`, () => {
    it('a store is empty when it is new', async () => {
      const store = await open();
      expect(store.readState()).toBeUndefined();
      expectSame(store, new Model(), [0, 1, 2 ** 40]);
      await store.close();
    });

    it('a store has exactly what was committed and not removed, whatever was committed', async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(commitSpec(), { minLength: 1, maxLength: 10 }), async (specs) => {
          const store = await open();
          const model = new Model();
          for (const spec of specs) {
            const commit = model.plan(spec);
            await store.commit(commit);
            model.apply(commit);
            expectSame(store, model, spec.probes);
          }
          await store.close();
        }),
        { numRuns: runs },
      );
    });

    if (reopen) {
      it('a store has the same content after it is opened again', async () => {
        await fc.assert(
          fc.asyncProperty(fc.array(commitSpec(), { minLength: 1, maxLength: 8 }), async (specs) => {
            let store = await open();
            const model = new Model();
            for (const spec of specs) {
              const commit = model.plan(spec);
              await store.commit(commit);
              model.apply(commit);
              await store.close();
              store = await reopen(store);
              expectSame(store, model, spec.probes);
            }
            await store.close();
          }),
          { numRuns: Math.ceil(runs / 2) },
        );
      });
    }

    it('a store accepts empty messages, messages of 1 MiB and thousands of topics in one block', async () => {
      const store = await open();
      const model = new Model();
      const records = (first: number, texts: readonly string[]): ChunkRecord[] =>
        texts.map((messageJson, i) => ({ sequence: first + i, messageJson }));
      const chunks: Chunk[] = [
        chunkOf(1, 1, records(1, ['', '', ''])),
        chunkOf(2, 1, records(4, ['x'.repeat(2 ** 20), '', 'é'.repeat(2 ** 19)])),
      ];
      for (let topic = 3; topic < 3_000; topic++)
        chunks.push(chunkOf(topic, 1, records(topic + 4, ['"few"'])));
      const runsOfBlock = chunks.map(({ topic, records: { length } }) => ({ topic, count: length }));
      const commit = commitOf({ chunks, blocks: [{ first: 1, time: 7, runs: runsOfBlock }] });
      await store.commit(commit);
      model.apply(commit);
      expectSame(store, model, [0, 1, 2]);
      await store.close();
    });

    it('a store keeps the texts of messages and ids character for character', async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.record({ messageJson: text(), id: text() }), { minLength: 1 }),
          async (all) => {
            const store = await open();
            const chunk = chunkOf(
              1,
              5,
              all.map((record, i) => ({ sequence: 5 + i, ...record })),
            );
            await store.commit(commitOf({ chunks: [chunk] }));
            expect(store.chunk(1, 5)?.records).toEqual(chunk.records);
            await store.close();
          },
        ),
        { numRuns: runs },
      );
    });

    it('a store can be read repeatedly, and in parts', async () => {
      const store = await open();
      const chunks = Array.from({ length: 50 }, (_, i) =>
        chunkOf(1, i + 1, [{ sequence: i + 1, messageJson: '0' }]),
      );
      await store.commit(commitOf({ chunks }));
      for (let start = 1; start <= 50; start++) {
        const seen: number[] = [];
        for (const { block } of store.readChunks(1, start)) {
          seen.push(block);
          if (seen.length === 3) break;
        }
        expect(seen).toEqual([start, start + 1, start + 2].filter((block) => block <= 50));
      }
      await store.close();
    });

    it('a store accepts no commits after it is closed', async () => {
      const store = await open();
      await store.close();
      await expect(store.commit(commitOf({}))).rejects.toThrow(StoreFailedError);
    });
  });
}

/** A commit with the given parts, and nothing else. */
export function commitOf(parts: Partial<StoreCommit>): StoreCommit {
  const none = {
    blocks: [],
    chunks: [],
    ids: [],
    topics: [],
    removedTopics: [],
    removedChunks: [],
    removedBlocks: [],
    removedIds: [],
  };
  const head = parts.chunks?.at(-1)?.records.at(-1)?.sequence ?? 0;
  return { state: stateOf(head, []), ...none, ...parts };
}

export function chunkOf(topic: number, block: number, records: readonly ChunkRecord[]): Chunk {
  return {
    topic,
    block,
    ordinal: block + 3,
    bytesBefore: 10 * block,
    time: 1_700_000_000_000 + block,
    records,
  };
}

/** A chunk for comparison: its records are decoded on first use, and are not a property of the object. */
export function plain({ topic, block, ordinal, bytesBefore, time, records }: Chunk): Chunk {
  return { topic, block, ordinal, bytesBefore, time, records };
}

interface CommitSpec {
  readonly gap: number;
  readonly topics: readonly { topic: number; records: readonly Omit<ChunkRecord, 'sequence'>[] }[];
  readonly changedTopics: readonly {
    name: string;
    isDeclared: boolean;
    isDeleted: boolean;
    keeps: boolean;
  }[];
  readonly deleted: readonly string[];
  /** The removals, as shares of the existing content. */
  readonly removals: readonly number[];
  readonly probes: readonly number[];
}

function text(): fc.Arbitrary<string> {
  return fc.oneof(
    fc.string({ maxLength: 12 }),
    fc.string({ unit: 'grapheme', maxLength: 12 }),
    // Half a surrogate pair, too.
    fc.string({ unit: 'binary', maxLength: 3 }).map((whole) => whole.slice(0, 1)),
    fc.constantFrom('', '\u{FEFF}1', '\u0000', 'x'.repeat(5_000)),
  );
}

function commitSpec(): fc.Arbitrary<CommitSpec> {
  const record = fc.record({ messageJson: text(), id: text() }, { requiredKeys: ['messageJson'] });
  const name = fc.stringMatching(/^[a-zé]{1,9}$/);
  return fc.record({
    gap: fc.constantFrom(0, 0, 1, 300, 2 ** 33),
    topics: fc.uniqueArray(
      fc.record({
        topic: fc.integer({ min: 1, max: 6 }),
        records: fc.array(record, { minLength: 1, maxLength: 4 }),
      }),
      { selector: ({ topic }) => topic, maxLength: 6 },
    ),
    changedTopics: fc.array(
      fc.record({ name, isDeclared: fc.boolean(), isDeleted: fc.boolean(), keeps: fc.boolean() }),
      { maxLength: 3 },
    ),
    deleted: fc.array(name, { maxLength: 2 }),
    removals: fc.array(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), { maxLength: 4 }),
    probes: fc.array(fc.nat({ max: 60 }), { minLength: 1, maxLength: 2 }),
  });
}

function stateOf(head: number, newest: readonly Deletion[]): LogState {
  const bySegment = new Map(newest.map(({ topic, sequence }) => [topic.slice(0, 2), { sequence }]));
  const deletions = { newest, bySegment, inCommon: { sequence: head } };
  const clockSteps = newest.map(({ sequence }) => ({ sequence, before: 2 ** 52, after: sequence % 7 }));
  const revocations = newest.map(({ topic, sequence }) => ({
    subject: topic,
    time: sequence,
    ahead: [2 ** 52, sequence].slice(0, sequence % 3),
  }));
  const times = { time: head + 5, trustedTime: head + 4, clockSteps };
  return { epoch: 'e', head, ...times, topicNumber: 99, deletions, revocations };
}

/** A store as plain lists. */
class Model {
  state: LogState | undefined;
  topics: TopicRecord[] = [];
  blocks: Block[] = [];
  ids: IdBlock[] = [];
  chunks: Chunk[] = [];

  plan(spec: CommitSpec): StoreCommit {
    const first = (this.state?.head ?? 0) + 1 + spec.gap;
    let sequence = first;
    const chunks = spec.topics.map(({ topic, records }) =>
      chunkOf(
        topic,
        first,
        records.map((record) => ({ sequence: sequence++, ...record })),
      ),
    );
    const time = first + 9;
    const runs = chunks.map(({ topic, records }) => ({ topic, count: records.length }));
    const ids = chunks.map((chunk) => ({
      key: String.fromCharCode(chunk.topic).repeat(16),
      digest: String.fromCharCode(first % 256).repeat(16),
      sequence: chunk.records[0]?.sequence ?? 0,
    }));
    const taken = <T>(all: readonly T[]): T[] => [
      ...new Set(spec.removals.flatMap((share) => all.slice(Math.floor(share * all.length)).slice(0, 1))),
    ];
    return {
      state: stateOf(
        sequence - 1,
        spec.deleted.map((name) => ({ topic: parseTopic(name), sequence: first })),
      ),
      chunks,
      blocks: chunks.length > 0 ? [{ first, time, runs }] : [],
      ids: chunks.length > 0 ? [{ block: first, time, ids }] : [],
      topics: spec.changedTopics.map(({ name, ...is }, i) => ({
        number: 1 + ((first + i) % 9),
        name: parseTopic(name),
        ...is,
        createdAt: first,
        gone: { sequence: first, ordinal: 2 ** 40, bytes: 3 },
      })),
      removedTopics: taken(this.topics).map(({ number }) => number),
      removedChunks: taken(this.chunks).map(({ topic, block }) => ({ topic, block })),
      removedBlocks: taken(this.blocks).map(({ first: block }) => block),
      removedIds: taken(this.ids).map(({ block }) => block),
    };
  }

  apply(commit: StoreCommit): void {
    const chunkName = ({ topic, block }: Pick<Chunk, 'topic' | 'block'>): number => topic * 2 ** 40 + block;
    this.state = commit.state;
    this.chunks = changed(this.chunks, commit.chunks, commit.removedChunks.map(chunkName), chunkName);
    this.blocks = changed(this.blocks, commit.blocks, commit.removedBlocks, ({ first }) => first);
    this.ids = changed(this.ids, commit.ids, commit.removedIds, ({ block }) => block);
    this.topics = changed(this.topics, commit.topics, commit.removedTopics, ({ number }) => number);
  }
}

function changed<T>(
  all: T[],
  put: readonly T[],
  removed: readonly number[],
  nameOf: (item: T) => number,
): T[] {
  const byName = new Map(all.map((item) => [nameOf(item), item]));
  for (const name of removed) byName.delete(name);
  for (const item of put) byName.set(nameOf(item), item);
  return [...byName.values()].toSorted((a, b) => nameOf(a) - nameOf(b));
}

function expectSame(store: Store, model: Model, probes: readonly number[]): void {
  expectEqual([store.readState(), ...store.readTopics()], [model.state, ...model.topics]);
  for (const probe of [...probes, 0, model.state?.head ?? 0, 2 ** 45]) {
    const { blocks, ids, topics } = model;
    const from = probe % 10;
    expectEqual(
      [...store.readTopics(from)],
      topics.filter(({ number }) => number >= from),
    );
    expectEqual(
      [...store.readBlocks(probe)],
      blocks.filter(({ first }) => first >= probe),
    );
    expectEqual(
      store.blockBefore(probe),
      blocks.findLast(({ first }) => first <= probe),
    );
    expectEqual(
      [...store.readIds(probe)],
      ids.filter(({ block }) => block >= probe),
    );
    for (const topic of new Set([0, 7, ...model.chunks.slice(-4).map((chunk) => chunk.topic)])) {
      const chunks = model.chunks.filter((chunk) => chunk.topic === topic);
      const before = store.chunkBefore(topic, probe);
      const exact = store.chunk(topic, probe);
      expectEqual(
        [...store.readChunks(topic, probe)].map(plain),
        chunks.filter(({ block }) => block >= probe),
      );
      expectEqual(
        before && plain(before),
        chunks.findLast(({ block }) => block <= probe),
      );
      expectEqual(
        exact && plain(exact),
        chunks.find(({ block }) => block === probe),
      );
    }
  }
}

/** A fast comparison for equal values, because so much is compared. */
function expectEqual(actual: unknown, expected: unknown): void {
  if (!isDeepStrictEqual(actual, expected)) expect(actual).toEqual(expected);
}
