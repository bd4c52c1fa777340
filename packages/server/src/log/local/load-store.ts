import { ageOf } from './effective-time.ts';
import { missingMessages } from './missing-messages.ts';
import { noDeletions, withDeletions } from './deletions.ts';
import { LogClock, type LogClockOptions } from './log-clock.ts';
import type { RememberedIds } from './remembered-ids.ts';
import type { Chunk, Deletion, LogState, Store } from '../store/store.ts';
import { keeps, oldestOf, type TopicEntry } from './topic-entry.ts';
import type { TopicTable } from './topic-table.ts';

export interface LoadOptions extends LogClockOptions {
  readonly topics: TopicTable;
  readonly ids: RememberedIds;
  readonly idWindowMs: number;
  readonly newEpoch: string;
}

export interface LoadedStore {
  readonly state: LogState;
  readonly clock: LogClock;
}

/**
 * Loads the topics of a store, and the ids that still count, into memory. It reads only the first and the
 * last chunk of each topic.
 *
 * @throws LogDamagedError
 */
export function loadStore(
  store: Store,
  { topics, ids, idWindowMs, newEpoch, ...options }: LoadOptions,
): LoadedStore {
  const stored = store.readState();
  const clock = new LogClock(options, stored?.trustedTime);
  clock.sample();
  if (!stored) return { state: clock.stateNow({ epoch: newEpoch, ...newState }), clock };
  const state = clock.stateNow({ ...stored, clockSteps: stepsSince(store, stored) });
  topics.highestNumber = state.topicNumber;
  for (const entry of readEntries(store, topics, state)) topics.add(entry);
  readIds(store, ids, state, idWindowMs);
  return {
    state: { ...state, deletions: withDeletions(state.deletions, begunToKeep(topics, state)) },
    clock,
  };
}

const newState = {
  head: 0,
  time: 0,
  trustedTime: 0,
  clockSteps: [],
  topicNumber: 0,
  deletions: noDeletions,
  revocations: [],
};

/** The clock steps that come after the oldest stored block. Earlier steps concern no stored message. */
function stepsSince(store: Store, { clockSteps }: LogState): LogState['clockSteps'] {
  const oldest = clockSteps.length > 0 ? firstOf(store.readBlocks(0)) : undefined;
  return oldest ? clockSteps.filter(({ sequence }) => sequence > oldest.first) : clockSteps;
}

/**
 * The topics that kept nothing before and keep messages now. Their earlier messages are missing, as if the
 * topics had been deleted. No reader can have seen a position after the head.
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
    if (oldest && oldest.ordinal !== gone.ordinal + 1) throw missingMessages(name);
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
      // Nothing was kept in between, so the messages from before do not count.
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

/** Loads the ids from the oldest to the newest, so that the oldest are forgotten first. */
function readIds(store: Store, ids: RememberedIds, state: LogState, idWindowMs: number): void {
  for (const block of store.readIds(0)) {
    const age = Math.max(0, ageOf(block, state));
    if (age > idWindowMs) continue;
    ids.forget(-age);
    for (const { key, digest, sequence } of block.ids) {
      ids.set(key, { sequence, time: block.time, digest, stored: store.level });
    }
  }
}
