import { SortedList } from '../log/store/sorted-list.ts';
import type { Chunk, LogState, Store, TopicNumber, TopicRecord } from '../log/store/store.ts';
import { LogDamagedError } from '../log/topic-log.ts';
import { salvage, type DamagedKeys } from './salvage.ts';

/** Receives the damage and the progress of a scan. */
export interface Watcher {
  /** Called with a sentence for each damaged or missing part. */
  readonly onDamage: (sentence: string) => void;
  readonly onProgress?: (progress: Progress) => void;
}

export interface Progress {
  readonly messages: number;
  /** The size of the messages as JSON text. */
  readonly bytes: number;
  /** The finished share, from 0 to 1, if it is known. */
  readonly share?: number;
}

/** The topics of a store. */
export interface StoredTopics {
  readonly records: ReadonlyMap<TopicNumber, TopicRecord>;
  /** Topics with a damaged record. They may have messages. */
  readonly damaged: readonly TopicNumber[];
}

/** The chunks of a block. */
export interface BlockChunks {
  readonly block: number;
  readonly chunks: readonly Chunk[];
}

/** The limit of topics with damaged records that are scanned. */
const damagedTopicsMax = 100_000;

/** The read-ahead, in chunks over all topics. */
const readAhead = 512;

/** Undefined if there is no state, or if it is damaged. */
export function readState(store: Store, { onDamage }: Watcher): LogState | undefined {
  try {
    return store.readState();
  } catch (error) {
    if (!(error instanceof LogDamagedError)) throw error;
    onDamage("The log's state is damaged.");
    return undefined;
  }
}

export function readTopics(store: Store, state: LogState | undefined, { onDamage }: Watcher): StoredTopics {
  const records = new Map<TopicNumber, TopicRecord>();
  const damaged: TopicNumber[] = [];
  const source = {
    read: (from: number) => store.readTopics(from),
    keyOf: ({ number }: TopicRecord) => number,
    first: 1,
    last: state?.topicNumber ?? 2 ** 32 - 2,
    atOnce: 1_024,
  };
  const onDamaged = ({ from, through }: DamagedKeys): void => {
    onDamage(
      `The record of topic number ${from === through ? from : `${from} or a later one, up to ${through},`} is damaged.`,
    );
    const end = Math.min(through, from + damagedTopicsMax);
    for (let number = from; number <= end; number++) damaged.push(number);
  };
  for (const record of salvage(source, onDamaged)) records.set(record.number, record);
  return { records, damaged };
}

interface Cursor {
  readonly chunks: Generator<Chunk, void, undefined>;
  chunk: Chunk;
}

/**
 * Reads the chunks of topics in the order of the log (a merge). It does not need the list of blocks.
 *
 * @param last - the highest possible sequence
 */
export function* scanChunks(
  store: Store,
  topics: readonly TopicNumber[],
  last: number,
  onDamage: (topic: TopicNumber, blocks: DamagedKeys) => void,
): Generator<BlockChunks, void, undefined> {
  const atOnce = Math.max(1, Math.min(32, Math.floor(readAhead / Math.max(1, topics.length))));
  const waiting = new SortedList<Cursor[]>();
  const wait = (cursor: Cursor): void => {
    const others = waiting.get(cursor.chunk.block);
    if (others) others.push(cursor);
    else waiting.set(cursor.chunk.block, [cursor]);
  };
  for (const topic of topics) {
    const source = {
      read: (from: number) => store.readChunks(topic, from),
      keyOf: ({ block }: Chunk) => block,
      before: (block: number) => store.chunkBefore(topic, block),
      first: 0,
      last,
      atOnce,
    };
    const chunks = salvage(source, (blocks) => onDamage(topic, blocks));
    const next = chunks.next();
    if (next.done !== true) wait({ chunks, chunk: next.value });
  }
  for (let cursors = firstOf(waiting); cursors; cursors = firstOf(waiting)) {
    const block = cursors[0]?.chunk.block ?? 0;
    yield { block, chunks: cursors.map(({ chunk }) => chunk) };
    waiting.delete(block);
    for (const cursor of cursors) {
      const next = cursor.chunks.next();
      if (next.done === true) continue;
      cursor.chunk = next.value;
      wait(cursor);
    }
  }
}

function firstOf<T>(list: SortedList<T>): T | undefined {
  for (const value of list.from(0)) return value;
  return undefined;
}
