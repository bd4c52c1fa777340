import type { Topic } from '@fanfare/protocol';
import type { LogRecord } from '../topic-log.ts';
import { itemTime, lengthOfItem, readItem, writeItem } from './message-items.ts';

/** What the bytes of a record do not have. */
export interface RecordPlace {
  readonly topic: Topic;
  readonly epoch: string;
}

/** A longer record has a chunk of its own. */
const chunkBytes = 1_048_576;

/** The ordinal is in front of each item. */
const ordinalSize = 8;

interface Chunk {
  readonly bytes: Buffer;
  /** The end of its last record. */
  end: number;
}

/**
 * A queue of records as items, outside the heap. As objects they would live long enough to be copied and
 * marked by the garbage collector, which costs more than everything else that a following node does.
 */
export class PackedRecords {
  /** Each place is the number of a chunk, times the size of a chunk, plus the position in it. */
  readonly #places: number[] = [];
  #first = 0;
  readonly #chunks: Chunk[] = [];
  #firstChunk = 0;
  /** An empty chunk, which saves an allocation for each megabyte. */
  #spare: Buffer | undefined;

  get length(): number {
    return this.#places.length - this.#first;
  }

  /** @param jsonBytes - the size of its JSON text */
  push(record: LogRecord, jsonBytes: number): void {
    const chunk = this.#chunkFor(ordinalSize + lengthOfItem(record, jsonBytes));
    const start = chunk.end;
    this.#places.push((this.#firstChunk + this.#chunks.length - 1) * chunkBytes + start);
    chunk.bytes.writeDoubleLE(record.ordinal, start);
    chunk.end = writeItem(chunk.bytes, start + ordinalSize, record);
  }

  /** @param index - 0 for the oldest */
  at(index: number, { topic, epoch }: RecordPlace): LogRecord {
    const { bytes, start } = this.#find(index);
    const ordinal = bytes.readDoubleLE(start);
    return readItem(bytes, start + ordinalSize, { topic, ordinal, epochAt: () => epoch });
  }

  timeAt(index: number): number {
    const { bytes, start } = this.#find(index);
    return itemTime(bytes, start + ordinalSize);
  }

  ordinalAt(index: number): number {
    const { bytes, start } = this.#find(index);
    return bytes.readDoubleLE(start);
  }

  dropOldest(): void {
    this.#first++;
    const next = this.#places[this.#first];
    const firstUsed = next === undefined ? this.#lastChunk : Math.floor(next / chunkBytes);
    while (this.#firstChunk < firstUsed) {
      const freed = this.#chunks.shift();
      this.#firstChunk++;
      if (freed?.bytes.length === chunkBytes) this.#spare = freed.bytes;
    }
    if (this.#first < 4_096 || this.#first * 2 < this.#places.length) return;
    this.#places.splice(0, this.#first);
    this.#first = 0;
  }

  get #lastChunk(): number {
    return this.#firstChunk + this.#chunks.length - 1;
  }

  #chunkFor(size: number): Chunk {
    const last = this.#chunks.at(-1);
    if (last && last.end + size <= last.bytes.length) return last;
    const bytes = (size <= chunkBytes && this.#spare) || Buffer.allocUnsafeSlow(Math.max(size, chunkBytes));
    if (bytes === this.#spare) this.#spare = undefined;
    const chunk = { bytes, end: 0 };
    this.#chunks.push(chunk);
    return chunk;
  }

  #find(index: number): { readonly bytes: Buffer; readonly start: number } {
    const place = this.#places[this.#first + index] ?? Number.NaN;
    const number = Math.floor(place / chunkBytes);
    const chunk = this.#chunks[number - this.#firstChunk];
    if (!chunk) throw new RangeError(`There is no record ${index} of ${this.length}.`);
    return { bytes: chunk.bytes, start: place - number * chunkBytes };
  }
}
