import type { Topic } from '@fanfare/protocol';
import type { Chunk, ChunkRecord } from '../../store/store.ts';
import type { LogRecord, Page, PageLimit, Position } from '../../topic-log.ts';
import { missingMessages } from '../missing-messages.ts';
import { logRecord } from '../log-record.ts';
import type { TopicEntry } from '../topic-entry.ts';
import type { LogView } from './log-view.ts';
import { isPageFull } from './page-limit.ts';
import { chunkWith, ordinalAt } from './topic-positions.ts';

/** @throws LogDamagedError */
export function readTopic(view: LogView, topic: Topic, position: Position, limit: PageLimit): Page {
  const { topics } = view;
  const { epoch, sequence } = position;
  const entry = topics.get(topic);
  if (entry && entry.bornAt < sequence) return readEntry(view, entry, position, limit);
  // The position belongs to an earlier topic of that name.
  const page = entry ? readEntry(view, entry, { epoch, sequence, ordinal: 0 }, limit) : nothing(view);
  return topics.wasDeleted(topic, (name) => name === topic, sequence)
    ? { ...page, dropped: 'unknown' }
    : page;
}

function readEntry(view: LogView, entry: TopicEntry, position: Position, limit: PageLimit): Page {
  const { store } = view;
  const { epoch, head } = view.state();
  const had = position.ordinal ?? ordinalAt(store, entry, position.sequence);
  const from = Math.max(had, entry.trimmed);
  const reading = new PageBuilder(entry, epoch, from, limit);
  if (from < entry.count) {
    const start =
      from > had ? chunkWith(store, entry, from + 1) : store.chunkBefore(entry.number, position.sequence + 1);
    for (const chunk of store.readChunks(entry.number, start?.block ?? 0)) {
      if (chunk.block > head || !reading.add(chunk)) break;
    }
    if (!reading.isFull && reading.ordinal < entry.count) throw missingMessages(entry.name);
  }
  const { records, ordinal } = reading;
  const isAtHead = ordinal >= entry.count;
  const sequence = isAtHead ? head : (records.at(-1)?.sequence ?? position.sequence);
  return { records, position: { epoch, sequence, ordinal }, isAtHead, dropped: from - had };
}

function nothing({ state }: LogView): Page {
  const { epoch, head: sequence } = state();
  return { records: [], position: { epoch, sequence, ordinal: 0 }, isAtHead: true, dropped: 0 };
}

/** Collects the records of a topic up to a page's limit, and makes sure that none is missing in between. */
class PageBuilder {
  readonly records: LogRecord[] = [];
  readonly #entry: TopicEntry;
  readonly #epoch: string;
  readonly #limit: PageLimit;
  #ordinal: number;
  #bytes = 0;
  #isFull = false;

  constructor(entry: TopicEntry, epoch: string, ordinal: number, limit: PageLimit) {
    this.#entry = entry;
    this.#epoch = epoch;
    this.#ordinal = ordinal;
    this.#limit = limit;
  }

  /** The ordinal of the last record that was read. */
  get ordinal(): number {
    return this.#ordinal;
  }

  get isFull(): boolean {
    return this.#isFull;
  }

  /** @returns whether more may fit */
  add({ ordinal: first, time, records }: Chunk): boolean {
    const { name, count } = this.#entry;
    if (first > this.#ordinal + 1) throw missingMessages(name);
    for (let at = this.#ordinal + 1 - first; at < records.length && this.#ordinal < count; at++) {
      const record = records[at] as ChunkRecord;
      this.#bytes += Buffer.byteLength(record.messageJson);
      this.#isFull = isPageFull(this.records.length, this.#bytes, this.#limit);
      if (this.#isFull) return false;
      this.records.push(logRecord(record, this.#epoch, name, ++this.#ordinal, time));
    }
    return this.#ordinal < count;
  }
}
