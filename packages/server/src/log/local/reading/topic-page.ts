import type { From, Interest, Topic } from '@fanfare/protocol';
import { firstStampedSince } from '../effective-time.ts';
import { wasDeleted } from '../deletions.ts';
import type { ReaderParts } from './locate.ts';
import { missing } from '../load-store.ts';
import type { Chunk, ChunkRecord, LogState, Store } from '../../store/store.ts';
import {
  LogDamagedError,
  type LogRecord,
  type MayRead,
  type Page,
  type PageLimit,
  type Position,
  type Start,
} from '../../topic-log.ts';
import type { TopicEntry } from '../topic-table.ts';

/** Finds where reading a topic starts, by looking at some dozens of chunks at the most. */
export function locateTopic(parts: ReaderParts, topic: Topic, from: From): Start {
  const { head } = parts.state();
  const entry = parts.topics.get(topic);
  const recovered = from.kind === 'offset' && isRecovered(parts, topic, entry, from.offset.sequence);
  const flag = from.kind === 'offset' ? { recovered } : {};
  if (!entry || from.kind === 'new' || entry.count === entry.trimmed) {
    return { position: { sequence: head, ordinal: entry?.count ?? 0 }, ...flag, due: 0 };
  }
  const ordinal = Math.max(entry.trimmed, ordinalOf(parts, entry, from));
  const sequence =
    recovered && ordinal < entry.count ? from.offset.sequence : sequenceBefore(parts, entry, ordinal);
  return { position: { sequence, ordinal }, ...flag, due: entry.count - ordinal };
}

/** How many messages the topic had had where reading is to start. */
function ordinalOf({ store, state }: ReaderParts, entry: TopicEntry, from: From): number {
  switch (from.kind) {
    case 'new':
      return entry.count;
    case 'earliest':
      return 0;
    case 'last':
      return entry.count - from.count;
    case 'time':
      return ordinalBefore(store, entry, from.ms, state());
    case 'offset':
      return ordinalAt(store, entry, from.offset.sequence);
  }
}

/** How many messages the topic had had before the first of a time. */
function ordinalBefore(store: Store, entry: TopicEntry, ms: number, state: LogState): number {
  const first = firstStampedSince(ms, state, (since, from, end) =>
    firstChunk(store, entry, { from, end }, ({ time }) => time >= since),
  );
  const ordinal = (first?.ordinal ?? entry.count + 1) - 1;
  // Nothing is missing between what is older and what is not.
  const before = first?.block ?? entry.lastSequence + 1;
  if (ordinal > entry.trimmed) recordAt(store.chunkBefore(entry.number, before - 1), ordinal, entry);
  return ordinal;
}

/** Whether nothing that the topic had after a place in the log is missing. */
function isRecovered(
  parts: ReaderParts,
  topic: Topic,
  entry: TopicEntry | undefined,
  sequence: number,
): boolean {
  if (parts.topics.ruleOf(topic).keep === 'none') return false;
  // What was deleted before a topic came to be is no part of it.
  if (
    (entry?.createdAt ?? Infinity) >= sequence &&
    wasDeletedSince(parts, topic, (name) => name === topic, sequence)
  )
    return false;
  return !entry || ordinalAt(parts.store, entry, sequence) >= entry.trimmed;
}

/** Whether messages were deleted with a topic after a place in the log; also when that is not remembered. */
export function wasDeletedSince(
  { state }: ReaderParts,
  interest: Interest,
  isWanted: MayRead,
  sequence: number,
): boolean {
  return wasDeleted(state().deletions, interest, isWanted, (mark) => mark.sequence > sequence);
}

/** How many messages a topic had had at a place in the log; of those that are gone from the store, none. */
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

/** The place in the log just before the message that comes after so many. */
export function sequenceBefore(
  { store, state }: Pick<ReaderParts, 'store' | 'state'>,
  entry: TopicEntry,
  ordinal: number,
): number {
  if (ordinal >= entry.count) return state().head;
  return recordAt(chunkWith(store, entry, ordinal + 1), ordinal + 1, entry).sequence - 1;
}

/** How many chunks are looked at one by one, from the newest on, before searching for one. */
const stepsMax = 8;

const anywhere = { from: 0, end: Infinity };

/** The chunk that has a topic's message of that ordinal, which is kept. */
function chunkWith(store: Store, entry: TopicEntry, ordinal: number): Chunk | undefined {
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

function recordAt(chunk: Chunk | undefined, ordinal: number, { name }: TopicEntry): ChunkRecord {
  const record = chunk?.records[ordinal - chunk.ordinal];
  if (!record) throw new LogDamagedError(missing(name));
  return record;
}

/** Finds the first of a topic's chunks between two places in the log for which something is so that is so for all after it. */
function firstChunk(
  store: Store,
  { number, oldest, lastSequence }: TopicEntry,
  { from, end }: { readonly from: number; readonly end: number },
  isSo: (chunk: Chunk) => boolean,
): Chunk | undefined {
  // It is not so of the chunk at or before `low`, and so of that at `high`.
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

/** @throws LogDamagedError */
export function readTopic(parts: ReaderParts, topic: Topic, position: Position, limit: PageLimit): Page {
  const { topics } = parts;
  const { sequence } = position;
  const entry = topics.get(topic);
  if (entry && entry.bornAt < sequence) return readEntry(parts, entry, position, limit);
  // Whatever was read up to there was another topic of that name.
  const page = entry ? readEntry(parts, entry, { sequence, ordinal: 0 }, limit) : nothing(parts);
  return topics.wasDeleted(topic, (name) => name === topic, sequence)
    ? { ...page, dropped: 'unknown' }
    : page;
}

function readEntry(parts: ReaderParts, entry: TopicEntry, position: Position, limit: PageLimit): Page {
  const { store } = parts;
  const { head } = parts.state();
  const had = position.ordinal ?? ordinalAt(store, entry, position.sequence);
  const from = Math.max(had, entry.trimmed);
  const reading = new Reading(entry, from, limit);
  if (from < entry.count) {
    const start =
      from > had ? chunkWith(store, entry, from + 1) : store.chunkBefore(entry.number, position.sequence + 1);
    for (const chunk of store.readChunks(entry.number, start?.block ?? 0)) {
      if (chunk.block > head || !reading.add(chunk)) break;
    }
    if (!reading.isFull && reading.ordinal < entry.count) throw new LogDamagedError(missing(entry.name));
  }
  const { records, ordinal } = reading;
  const isAtHead = ordinal >= entry.count;
  const sequence = isAtHead ? head : (records.at(-1)?.sequence ?? position.sequence);
  return { records, position: { sequence, ordinal }, isAtHead, dropped: from - had };
}

function nothing({ state }: ReaderParts): Page {
  return { records: [], position: { sequence: state().head, ordinal: 0 }, isAtHead: true, dropped: 0 };
}

/** Collects a topic's records up to a page's limit, and sees to it that none is missing in between. */
class Reading {
  readonly records: LogRecord[] = [];
  readonly #entry: TopicEntry;
  readonly #limit: PageLimit;
  #ordinal: number;
  #bytes = 0;
  #isFull = false;

  constructor(entry: TopicEntry, ordinal: number, limit: PageLimit) {
    this.#entry = entry;
    this.#ordinal = ordinal;
    this.#limit = limit;
  }

  /** How many messages of the topic were read or had been before. */
  get ordinal(): number {
    return this.#ordinal;
  }

  get isFull(): boolean {
    return this.#isFull;
  }

  /** @returns whether more may fit */
  add({ ordinal: first, time, records }: Chunk): boolean {
    const { name, count } = this.#entry;
    if (first > this.#ordinal + 1) throw new LogDamagedError(missing(name));
    for (let at = this.#ordinal + 1 - first; at < records.length && this.#ordinal < count; at++) {
      const record = records[at] as ChunkRecord;
      this.#bytes += Buffer.byteLength(record.messageJson);
      this.#isFull = isFull(this.records.length, this.#bytes, this.#limit);
      if (this.#isFull) return false;
      this.records.push(logRecord(record, name, ++this.#ordinal, time));
    }
    return this.#ordinal < count;
  }
}

/** What the log gives out of what the store has. */
export function logRecord(
  { sequence, messageJson, id, publisher }: ChunkRecord,
  topic: Topic,
  ordinal: number,
  time: number,
): LogRecord {
  if (publisher !== undefined)
    return { topic, messageJson, ...(id !== undefined && { id }), publisher, sequence, ordinal, time };
  return id === undefined
    ? { topic, messageJson, sequence, ordinal, time }
    : { topic, messageJson, id, sequence, ordinal, time };
}

/** @param bytes - with the next record, which always fits as the first one */
export function isFull(records: number, bytes: number, { recordsMax, bytesMax }: PageLimit): boolean {
  return records > 0 && (records >= recordsMax || bytes > bytesMax);
}
