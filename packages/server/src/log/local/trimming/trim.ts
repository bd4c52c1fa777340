import { ageOf, type ClockHistory } from '../effective-time.ts';
import type { Chunk, Store } from '../../store/store.ts';
import { oldestOf, type OldestChunk, type TopicEntry } from '../topic-entry.ts';
import type { TopicTable } from '../topic-table.ts';

/** The data that decides about retention, in addition to the rule of a topic. */
export interface TrimContext {
  readonly store: Store;
  readonly topics: TopicTable;
  readonly clock: ClockHistory;
  /** All chunks up to this block are evicted. */
  readonly evictedThrough: number;
}

/** A topic after its oldest chunks are removed. */
export interface TrimmedTopic {
  readonly entry: TopicEntry;
  readonly gone: TopicEntry['gone'];
  readonly oldest: OldestChunk | undefined;
  readonly before: Pick<TopicEntry, 'gone' | 'oldest'>;
  readonly removed: readonly Chunk[];
  /** Whether more chunks than the limit may have to be removed. */
  readonly hasMore: boolean;
}

/**
 * Finds the oldest chunks of a topic that are no longer kept, up to a limit. From now on, they cannot be
 * read.
 *
 * @throws LogDamagedError
 */
export function trimTopic(entry: TopicEntry, context: TrimContext, chunksMax: number): TrimmedTopic {
  const { store, topics } = context;
  const before = { gone: entry.gone, oldest: entry.oldest };
  const removed: Chunk[] = [];
  let { gone } = entry;
  let hasMore = false;
  let chunk: Chunk | undefined;
  for (const next of withEnd(store.readChunks(entry.number, entry.oldest?.block ?? 0))) {
    if (chunk) {
      const end = next
        ? { ordinal: next.ordinal - 1, bytes: next.bytesBefore }
        : { ordinal: entry.count, bytes: entry.bytes };
      if (!isGone(entry, chunk, end, context)) break;
      hasMore = removed.length >= chunksMax;
      if (hasMore) break;
      removed.push(chunk);
      topics.trim(entry, end.ordinal);
      entry.bytesTrimmed = Math.max(entry.bytesTrimmed, end.bytes);
      gone = { ...end, sequence: chunk.records.at(-1)?.sequence ?? chunk.block };
    }
    chunk = next;
  }
  if (chunk && !hasMore) trimWithin(entry, chunk, topics);
  return { entry, gone, oldest: chunk && oldestOf(chunk), before, removed, hasMore };
}

/**
 * Whether no record of a chunk is kept.
 *
 * @param end - the totals of the topic at the end of the chunk
 */
function isGone(
  entry: TopicEntry,
  chunk: Chunk,
  end: { readonly ordinal: number; readonly bytes: number },
  { clock, evictedThrough }: TrimContext,
): boolean {
  const { keep } = entry.rule;
  return (
    entry.isDeleted ||
    keep === 'none' ||
    end.ordinal <= entry.trimmed ||
    chunk.block <= evictedThrough ||
    ageOf(chunk, clock) > keep.ageMs ||
    (entry.bytes - end.bytes >= keep.bytes && end.ordinal < entry.count)
  );
}

/** The oldest kept chunk may have too many bytes. The newest message is always kept. */
function trimWithin(entry: TopicEntry, chunk: Chunk, topics: TopicTable): void {
  const { keep } = entry.rule;
  if (keep === 'none' || entry.bytes - chunk.bytesBefore <= keep.bytes) return;
  let { ordinal, bytesBefore: bytes } = chunk;
  for (const { messageJson } of chunk.records) {
    const isKept = ordinal > entry.trimmed && entry.bytes - bytes <= keep.bytes;
    if (isKept || ordinal >= entry.count) break;
    bytes += Buffer.byteLength(messageJson);
    ordinal++;
  }
  topics.trim(entry, ordinal - 1);
  entry.bytesTrimmed = Math.max(entry.bytesTrimmed, bytes);
}

/** The items, and then undefined. */
function* withEnd<T>(items: Iterable<T>): Iterable<T | undefined> {
  yield* items;
  yield undefined;
}
