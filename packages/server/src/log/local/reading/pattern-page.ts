import type { Block, Chunk, ChunkRecord, TopicNumber } from '../../store/store.ts';
import type { LogRecord, MayRead, Page, PageLimit, Position } from '../../topic-log.ts';
import { missingMessages } from '../damage.ts';
import { logRecord } from '../log-record.ts';
import type { TopicEntry } from '../topic-entry.ts';
import type { LogView } from './log-view.ts';
import { isPageFull } from './page-limit.ts';
import type { PatternFilter } from './pattern-filter.ts';
import { ordinalAt } from './topic-positions.ts';

/** How much a page is looked for, in runs of records that may turn out to be of other topics; a few milliseconds. */
const effortPerPageMax = 8_192;

/** What it costs to have the store give a block or a chunk, in runs. */
const readingEffort = 16;

/** What it costs to find whether a topic is wanted: where it has to be one that may be read, each pattern of a token is tried. */
const lookingEffort = { usual: 4, restricted: 64 };

/** How many topics are looked at for what was lost; when there are more, something may have been. */
const looksMax = 1_024;

/** @throws LogDamagedError */
export function readPattern(
  view: LogView,
  filter: PatternFilter,
  position: Position,
  limit: PageLimit,
): Page {
  const { store, topics, state } = view;
  const { head } = state();
  const dropped = isAnyLost(view, filter, position) ? 'unknown' : 0;
  const scan = new Scan(view, filter, position);
  const records: LogRecord[] = [];
  let { sequence } = position;
  let bytes = 0;
  const page = (isAtHead: boolean): Page => ({
    records,
    position: positionAt(isAtHead ? head : sequence, topics.changes, position.newest),
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

function positionAt(sequence: number, changes: number, newest: Position['newest']): Position {
  return newest && newest.through > sequence ? { sequence, changes, newest } : { sequence, changes };
}

function endOf({ first, runs }: Block): number {
  return runs.reduce((end, { count }) => end + count, first - 1);
}

/** Whether messages after a position that was not read yet went since it was taken. */
function isAnyLost(view: LogView, { pattern, isWanted }: PatternFilter, position: Position): boolean {
  const { store, topics } = view;
  const { sequence, changes = 0, newest } = position;
  if (topics.changes === changes) return false;
  if (topics.wasDeleted(pattern, isWanted, sequence, changes)) return true;
  let looks = 0;
  for (const entry of topics.trimmedSince(changes)) {
    if (entry.isDeleted || entry.lastSequence <= sequence || !isWanted(entry.name)) continue;
    if (newest === undefined && entry.gone.sequence > sequence) return true;
    if (++looks > looksMax) return true;
    const unwanted = newest ? ordinalAt(store, entry, newest.through) - newest.count : 0;
    if (Math.max(unwanted, ordinalAt(store, entry, sequence)) < entry.trimmed) return true;
  }
  return false;
}

/** What is wanted of a topic. */
interface Wanted {
  readonly entry: TopicEntry;
  /** Of what is stored up to `newest.through`, only the ordinals over this one. */
  readonly over: number;
  /** How many messages it had had where it was read last; undefined when it was not yet. */
  ordinal: number | undefined;
}

/** How far a chunk was read. */
interface Cursor {
  readonly wanted: Wanted;
  readonly chunk: Chunk;
  at: number;
}

/** Picks the records of a pattern out of blocks. */
class Scan {
  readonly #view: LogView;
  readonly #isWanted: MayRead;
  readonly #start: Position;
  readonly #lookingEffort: number;
  /** Of the topics that do not match, undefined. */
  readonly #wanted = new Map<TopicNumber, Wanted | undefined>();
  /** Of the blocks so far. */
  #blocksEnd: number;
  /** Up to where they were read. */
  #end: number;
  /** Whether the blocks so far do not follow one another: some may have gone, and some may be missing. */
  #hasGap = false;
  #effort = 0;

  constructor(view: LogView, { isWanted, isRestricted }: PatternFilter, start: Position) {
    this.#view = view;
    this.#isWanted = isWanted;
    this.#start = start;
    this.#lookingEffort = isRestricted ? lookingEffort.restricted : lookingEffort.usual;
    this.#blocksEnd = start.sequence;
    this.#end = start.sequence;
  }

  /** Up to where it was read. */
  get end(): number {
    return this.#end;
  }

  /** Whether as much was done as is to be done for one page. */
  get isExhausted(): boolean {
    return this.#effort > effortPerPageMax;
  }

  /**
   * Those after a place in the log, in order, until it is tired: a block may have runs of thousands of topics. To be called
   * with one block after the other.
   */
  *recordsOf(block: Block, after: number): Generator<LogRecord, void, undefined> {
    this.#hasGap ||= block.first > this.#blocksEnd + 1;
    this.#blocksEnd = Math.max(this.#blocksEnd, endOf(block));
    this.#effort += readingEffort;
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
    const { name, trimmed } = wanted.entry;
    const through = this.#start.newest?.through ?? 0;
    for (; cursor.at < chunk.records.length; cursor.at++) {
      const record = chunk.records[cursor.at] as ChunkRecord;
      if (record.sequence >= end) return;
      const ordinal = chunk.ordinal + cursor.at;
      const isWanted = ordinal > wanted.over || record.sequence > through;
      if (isWanted && ordinal > trimmed) yield logRecord(record, name, ordinal, chunk.time);
    }
  }

  /** A place in a topic's chunk: its first record after a place in the log. */
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
    this.#effort += readingEffort;
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
    this.#effort += this.#lookingEffort;
    if (entry && !entry.isDeleted && this.#isWanted(entry.name)) {
      const over = newest ? ordinalAt(store, entry, newest.through) - newest.count : 0;
      wanted = { entry, over, ordinal: undefined };
    }
    this.#wanted.set(number, wanted);
    return wanted;
  }
}
