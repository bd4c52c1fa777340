import type { Chunk, ChunkRecord, Store } from '../../store/store.ts';
import { missingMessages } from '../missing-messages.ts';
import type { TopicEntry } from '../topic-entry.ts';
import type { LogView } from './log-view.ts';

/**
 * The number of messages that a topic had had at a position. Messages that were removed from the store count
 * as none.
 */
export function ordinalAt(
  store: Store,
  { number, gone, count, lastSequence }: TopicEntry,
  sequence: number,
): number {
  if (sequence >= lastSequence) return count;
  const chunk = store.chunkBefore(number, sequence);
  if (!chunk) return sequence >= gone.sequence ? gone.ordinal : 0;
  let ordinal = chunk.ordinal - 1;
  for (const record of chunk.records) {
    if (record.sequence > sequence) break;
    ordinal++;
  }
  return ordinal;
}

/** The position just before the message that comes after `ordinal` others. */
export function sequenceBefore(
  { store, state }: Pick<LogView, 'store' | 'state'>,
  entry: TopicEntry,
  ordinal: number,
): number {
  if (ordinal >= entry.count) return state().head;
  return recordAt(chunkWith(store, entry, ordinal + 1), ordinal + 1, entry).sequence - 1;
}

/** The number of chunks that are read one by one, from the newest, before a binary search. */
const stepsMax = 8;

const anywhere = { from: 0, end: Infinity };

/** The chunk with a topic's message of that ordinal, which must be kept. */
export function chunkWith(store: Store, entry: TopicEntry, ordinal: number): Chunk | undefined {
  let chunk = store.chunkBefore(entry.number, entry.lastSequence);
  for (let steps = 0; chunk && chunk.ordinal > ordinal; steps++) {
    if (steps === stepsMax) {
      const after = firstChunk(store, entry, anywhere, (one) => one.ordinal > ordinal);
      return after && store.chunkBefore(entry.number, after.block - 1);
    }
    chunk = store.chunkBefore(entry.number, chunk.block - 1);
  }
  return chunk;
}

export function recordAt(chunk: Chunk | undefined, ordinal: number, { name }: TopicEntry): ChunkRecord {
  const record = chunk?.records[ordinal - chunk.ordinal];
  if (!record) throw missingMessages(name);
  return record;
}

/**
 * Finds the first of a topic's chunks between two positions that meets a condition (binary search). All
 * chunks after it must meet the condition too.
 */
export function firstChunk(
  store: Store,
  { number, oldest, lastSequence }: TopicEntry,
  { from, end }: { readonly from: number; readonly end: number },
  isSo: (chunk: Chunk) => boolean,
): Chunk | undefined {
  // The chunk at or before `low` does not meet the condition, and the one at `high` does.
  let low = Math.max(from, oldest?.block ?? 1) - 1;
  let high = Math.min(end, lastSequence + 1);
  let first: Chunk | undefined;
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    const chunk = store.chunkBefore(number, middle);
    if (chunk && chunk.block >= from && isSo(chunk)) {
      first = chunk;
      high = chunk.block;
    } else {
      low = middle;
    }
  }
  return first;
}
