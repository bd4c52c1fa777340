import type { Offset } from '@fanfare/protocol';
import type { Block, Chunk, ChunkRecord, TopicNumber } from '../../store/store.ts';
import type { LogRecord, MayRead, Page, PageLimit, Position } from '../../topic-log.ts';
import { missingMessages } from '../missing-messages.ts';
import { logRecord } from '../log-record.ts';
import type { TopicEntry } from '../topic-entry.ts';
import type { LogView } from './log-view.ts';
import { isPageFull } from './page-limit.ts';
import type { PatternFilter } from './pattern-filter.ts';
import { ordinalAt } from './topic-positions.ts';

/**
 * The effort for one page, in runs of records that may belong to other topics. It takes a few milliseconds.
 */
const effortPerPageMax = 8_192;

/** The cost of reading a block or a chunk from the store, in runs. */
const readEffort = 16;

/**
 * The cost of deciding whether a topic is wanted. For a restricted reader, each pattern of its token is
 * tried.
 */
const topicEffort = { usual: 4, restricted: 64 };

/** Maximum number of topics that are checked for losses. If there are more, a loss is assumed. */
const checkedTopicsMax = 1_024;

/** @throws LogDamagedError */
export function readPattern(
  view: LogView,
  filter: PatternFilter,
  position: Position,
  limit: PageLimit,
): Page {
  const { store, topics, state } = view;
  const { epoch, head } = state();
  const dropped = isAnyLost(view, filter, position) ? 'unknown' : 0;
  const scan = new Scan(view, filter, position);
  const records: LogRecord[] = [];
  let { sequence } = position;
  let bytes = 0;
  const page = (isAtHead: boolean): Page => ({
    records,
    position: positionAt({ epoch, sequence: isAtHead ? head : sequence }, topics.changes, position.newest),
    isAtHead,
    dropped,
  });
  for (const block of store.readBlocks(store.blockBefore(sequence + 1)?.first ?? 0)) {
    if (block.first > head) break;
    for (const record of scan.recordsOf(block, sequence)) {
      bytes += Buffer.byteLength(record.messageJson);
      if (isPageFull(records.length, bytes, limit)) return page(false);
      records.push(record);
      sequence = record.sequence;
    }
    sequence = Math.max(sequence, scan.end);
    if (scan.isExhausted || records.length >= limit.recordsMax) return page(sequence >= head);
  }
  return page(true);
}

function positionAt(place: Offset, changes: number, newest: Position['newest']): Position {
  return newest && newest.through > place.sequence ? { ...place, changes, newest } : { ...place, changes };
}

function endOf({ first, runs }: Block): number {
  return runs.reduce((end, { count }) => end + count, first - 1);
}

/** Whether unread messages after a position were dropped since the position was taken. */
function isAnyLost(view: LogView, { pattern, isWanted }: PatternFilter, position: Position): boolean {
  const { store, topics } = view;
  const { sequence, changes = 0, newest } = position;
  if (topics.changes === changes) return false;
  if (topics.wasDeleted(pattern, isWanted, sequence, changes)) return true;
  let checked = 0;
  for (const entry of topics.trimmedSince(changes)) {
    if (entry.isDeleted || entry.lastSequence <= sequence || !isWanted(entry.name)) continue;
    if (newest === undefined && entry.gone.sequence > sequence) return true;
    if (++checked > checkedTopicsMax) return true;
    const unwanted = newest ? ordinalAt(store, entry, newest.through) - newest.count : 0;
    if (Math.max(unwanted, ordinalAt(store, entry, sequence)) < entry.trimmed) return true;
  }
  return false;
}

/** The part of a topic that the reader wants. */
interface Wanted {
  readonly entry: TopicEntry;
  /**
   * The reader wants only ordinals above this one, of the messages that are stored up to `newest.through`.
   */
  readonly over: number;
  /** The number of the topic's messages up to the last chunk that was read; undefined before the first. */
  ordinal: number | undefined;
}

/** A position in a chunk. */
interface Cursor {
  readonly wanted: Wanted;
  readonly chunk: Chunk;
  at: number;
}

/** Selects the records of a pattern from blocks. */
class Scan {
  readonly #view: LogView;
  readonly #isWanted: MayRead;
  readonly #start: Position;
  readonly #topicEffort: number;
  /** Undefined for topics that are not wanted. */
  readonly #wanted = new Map<TopicNumber, Wanted | undefined>();
  /** The end of the blocks so far. */
  #blocksEnd: number;
  /** The position up to which blocks were read. */
  #end: number;
  /** Whether there is a gap between the blocks so far: blocks were removed, or are missing. */
  #hasGap = false;
  #effort = 0;

  constructor(view: LogView, { isWanted, isRestricted }: PatternFilter, start: Position) {
    this.#view = view;
    this.#isWanted = isWanted;
    this.#start = start;
    this.#topicEffort = isRestricted ? topicEffort.restricted : topicEffort.usual;
    this.#blocksEnd = start.sequence;
    this.#end = start.sequence;
  }

  /** The position up to which blocks were read. */
  get end(): number {
    return this.#end;
  }

  /** Whether the effort for one page is used up. */
  get isExhausted(): boolean {
    return this.#effort > effortPerPageMax;
  }

  /**
   * Yields the records of a block after a sequence, in order, until the effort is used up: a block may have
   * runs of thousands of topics. To be called for one block after the other.
   */
  *recordsOf(block: Block, after: number): Generator<LogRecord, void, undefined> {
    this.#hasGap ||= block.first > this.#blocksEnd + 1;
    this.#blocksEnd = Math.max(this.#blocksEnd, endOf(block));
    this.#effort += readEffort;
    const cursors = new Map<TopicNumber, Cursor | undefined>();
    let end = block.first;
    for (const { topic, count } of block.runs) {
      end += count;
      if (end <= after + 1) continue;
      this.#effort++;
      if (!cursors.has(topic)) cursors.set(topic, this.#cursorOf(block.first, topic, after));
      const cursor = cursors.get(topic);
      if (cursor) yield* this.#recordsUpTo(end, cursor);
      this.#end = end - 1;
      if (this.isExhausted) return;
    }
  }

  *#recordsUpTo(end: number, cursor: Cursor): Generator<LogRecord, void, undefined> {
    const { wanted, chunk } = cursor;
    const { epoch } = this.#view.state();
    const { name, trimmed } = wanted.entry;
    const through = this.#start.newest?.through ?? 0;
    for (; cursor.at < chunk.records.length; cursor.at++) {
      const record = chunk.records[cursor.at] as ChunkRecord;
      if (record.sequence >= end) return;
      const ordinal = chunk.ordinal + cursor.at;
      const isWanted = ordinal > wanted.over || record.sequence > through;
      if (isWanted && ordinal > trimmed) yield logRecord(record, epoch, name, ordinal, chunk.time);
    }
  }

  /** The first record of a topic's chunk after a sequence. */
  #cursorOf(block: number, topic: TopicNumber, after: number): Cursor | undefined {
    const wanted = this.#wantedOf(topic);
    const chunk = wanted && this.#chunkOf(block, wanted);
    if (!chunk) return undefined;
    const at = chunk.records.findIndex(({ sequence }) => sequence > after);
    return at < 0 ? undefined : { wanted, chunk, at };
  }

  #chunkOf(block: number, wanted: Wanted): Chunk | undefined {
    const { store } = this.#view;
    const { entry } = wanted;
    this.#effort += readEffort;
    const chunk = store.chunk(entry.number, block);
    if (!chunk) {
      if (entry.oldest && entry.oldest.block <= block) throw missingMessages(entry.name);
      return undefined;
    }
    if (this.#hasGap) wanted.ordinal ??= ordinalAt(store, entry, this.#start.sequence);
    const had = Math.max(entry.trimmed, wanted.ordinal ?? 0);
    if (wanted.ordinal !== undefined && chunk.ordinal > had + 1) throw missingMessages(entry.name);
    wanted.ordinal = chunk.ordinal + chunk.records.length - 1;
    return chunk;
  }

  #wantedOf(number: TopicNumber): Wanted | undefined {
    if (this.#wanted.has(number)) return this.#wanted.get(number);
    const { store, topics } = this.#view;
    const { newest } = this.#start;
    const entry = topics.at(number);
    let wanted: Wanted | undefined;
    this.#effort += this.#topicEffort;
    if (entry && !entry.isDeleted && this.#isWanted(entry.name)) {
      const over = newest ? ordinalAt(store, entry, newest.through) - newest.count : 0;
      wanted = { entry, over, ordinal: undefined };
    }
    this.#wanted.set(number, wanted);
    return wanted;
  }
}
