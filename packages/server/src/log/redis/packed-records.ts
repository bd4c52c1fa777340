import type { Topic } from '@fanfare/protocol';
import type { LogRecord } from '../topic-log.ts';

/** What the bytes of a record do not have. */
export interface RecordPlace {
  readonly topic: Topic;
  readonly epoch: string;
  readonly sequence: number;
}

/** A longer record has a chunk of its own. */
const chunkBytes = 1_048_576;

/** Time, ordinal, the lengths of id and publisher plus one (0: none), the length of the JSON text. */
const headSize = 24;

interface Chunk {
  readonly bytes: Buffer;
  /** The end of its last record. */
  end: number;
}

/**
 * A queue of records as bytes outside the heap. As objects they would live long enough to be copied and
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
  push({ time, ordinal, id, publisher, messageJson }: LogRecord, jsonBytes: number): void {
    const idBytes = id === undefined ? 0 : Buffer.byteLength(id);
    const publisherBytes = publisher === undefined ? 0 : Buffer.byteLength(publisher);
    const chunk = this.#chunkFor(headSize + idBytes + publisherBytes + jsonBytes);
    const { bytes } = chunk;
    const start = chunk.end;
    this.#places.push((this.#firstChunk + this.#chunks.length - 1) * chunkBytes + start);
    bytes.writeDoubleLE(time, start);
    bytes.writeDoubleLE(ordinal, start + 8);
    bytes.writeUInt16LE(id === undefined ? 0 : idBytes + 1, start + 16);
    bytes.writeUInt16LE(publisher === undefined ? 0 : publisherBytes + 1, start + 18);
    bytes.writeUInt32LE(jsonBytes, start + 20);
    let at = start + headSize;
    if (id !== undefined) at += bytes.write(id, at);
    if (publisher !== undefined) at += bytes.write(publisher, at);
    chunk.end = at + bytes.write(messageJson, at);
  }

  /** @param index - 0 for the oldest */
  at(index: number, { topic, epoch, sequence }: RecordPlace): LogRecord {
    const { bytes, start } = this.#find(index);
    const idSize = bytes.readUInt16LE(start + 16);
    const publisherSize = bytes.readUInt16LE(start + 18);
    const idAt = start + headSize;
    const publisherAt = idAt + Math.max(0, idSize - 1);
    const jsonAt = publisherAt + Math.max(0, publisherSize - 1);
    const messageJson = bytes.toString('utf8', jsonAt, jsonAt + bytes.readUInt32LE(start + 20));
    const [time, ordinal] = [bytes.readDoubleLE(start), bytes.readDoubleLE(start + 8)];
    if (idSize === 0 && publisherSize === 0) return { topic, messageJson, epoch, sequence, ordinal, time };
    const id = bytes.toString('utf8', idAt, publisherAt);
    if (publisherSize === 0) return { topic, messageJson, id, epoch, sequence, ordinal, time };
    const publisher = bytes.toString('utf8', publisherAt, jsonAt);
    return idSize === 0
      ? { topic, messageJson, publisher, epoch, sequence, ordinal, time }
      : { topic, messageJson, id, publisher, epoch, sequence, ordinal, time };
  }

  timeAt(index: number): number {
    const { bytes, start } = this.#find(index);
    return bytes.readDoubleLE(start);
  }

  ordinalAt(index: number): number {
    const { bytes, start } = this.#find(index);
    return bytes.readDoubleLE(start + 8);
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
