import { noDeletions, withDeletions } from './deletions.ts';
import type { RememberedIds } from './remembered-ids.ts';
import type { Chunk, Deletion, LogState, Store } from '../store/store.ts';
import { LogDamagedError } from '../topic-log.ts';
import { keeps, oldestOf, type TopicEntry, type TopicTable } from './topic-table.ts';

export interface OpenOptions {
  readonly topics: TopicTable;
  readonly ids: RememberedIds;
  readonly idWindowMs: number;
  readonly newEpoch: string;
  readonly now: () => number;
}

/**
 * Reads what a store has into memory: the topics, and the ids that still count. Looks at the first and the last
 * chunk of each topic, and at no other.
 *
 * @throws LogDamagedError
 */
export function openState(store: Store, { topics, ids, idWindowMs, newEpoch, now }: OpenOptions): LogState {
  const state = store.readState();
  if (!state) {
    const fresh = { head: 0, time: 0, topicNumber: 0, deletions: noDeletions };
    return { epoch: newEpoch, ...fresh };
  }
  topics.highestNumber = state.topicNumber;
  for (const entry of readEntries(store, topics, state)) topics.add(entry);
  readIds(store, ids, Math.max(state.time, now()) - idWindowMs);
  return { ...state, deletions: withDeletions(state.deletions, begunToKeep(topics, state)) };
}

/**
 * The topics that kept nothing before, and do now: what passed through them is missing, as if they had been deleted.
 * Nobody can have seen a place in the log that comes after the head.
 */
function begunToKeep(topics: TopicTable, { head }: LogState): readonly Deletion[] {
  const changed: Deletion[] = [];
  for (const { name, isDeleted, createdAt } of topics.everyNumber()) {
    if (!isDeleted && createdAt > head) changed.push({ topic: name, sequence: createdAt });
  }
  return changed;
}

function readEntries(store: Store, topics: TopicTable, { head }: LogState): TopicEntry[] {
  const entries: TopicEntry[] = [];
  for (const record of store.readTopics()) {
    const { number, name, isDeclared, isDeleted, gone } = record;
    const oldest = firstOf(store.readChunks(number, 0));
    const newest = store.chunkBefore(number, head);
    if (oldest && oldest.ordinal !== gone.ordinal + 1) throw new LogDamagedError(missing(name));
    const hasBegunToKeep = !isDeleted && !record.keeps && topics.ruleOf(name).keep !== 'none';
    const entry = topics.make(name, hasBegunToKeep ? head + 1 : record.createdAt, { number });
    const count = newest ? newest.ordinal + newest.records.length - 1 : gone.ordinal;
    entries.push({
      ...entry,
      bornAt: -1,
      isDeclared,
      isDeleted,
      isSaved: record.keeps === keeps(entry),
      gone,
      oldest: oldest && oldestOf(oldest),
      // Nothing was kept in between: what is older is of another time.
      trimmed: hasBegunToKeep ? count : gone.ordinal,
      bytesTrimmed: gone.bytes,
      count,
      bytes: newest ? newest.bytesBefore + bytesOf(newest) : gone.bytes,
      lastTime: newest?.time ?? 0,
      lastSequence: newest?.records.at(-1)?.sequence ?? gone.sequence,
    });
  }
  return entries;
}

function firstOf<T>(items: Iterable<T>): T | undefined {
  for (const item of items) return item;
  return undefined;
}

function bytesOf({ records }: Chunk): number {
  return records.reduce((bytes, { messageJson }) => bytes + Buffer.byteLength(messageJson), 0);
}

/** Says that messages are missing that ought to be there. */
export function missing(topic: string): string {
  return `Messages of the topic '${topic}' are missing in the log: run 'fanfare store verify'.`;
}

function readIds(store: Store, ids: RememberedIds, earliest: number): void {
  for (const { time, ids: stored } of store.readIds(0)) {
    if (time < earliest) continue;
    for (const { key, digest, sequence } of stored) {
      ids.set(key, { sequence, time, digest, stored: store.level });
    }
  }
}
