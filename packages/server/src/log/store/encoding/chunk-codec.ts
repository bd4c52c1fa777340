import { Buffer } from 'node:buffer';
import { crc32 } from 'node:zlib';
import { ByteReader, ByteWriter, integerBytesMax, textEncoding, textEncodings } from './bytes.ts';
import { damaged, hasValidChecksum, kinds, writeChecksum, checksumSize } from './checksum.ts';
import type { Chunk, ChunkRecord, TopicNumber } from '../store.ts';
import type { LogDamagedError } from '../../topic-log.ts';

/** The key of a chunk: 4 bytes of topic and 8 bytes of block. Keys sort by topic, then by block. */
export function chunkKey(topic: TopicNumber, block: number): Buffer {
  const key = Buffer.allocUnsafe(12);
  key.writeUInt32BE(topic, 0);
  key.writeUInt32BE(Math.floor(block / 2 ** 32), 4);
  key.writeUInt32BE(block % 2 ** 32, 8);
  return key;
}

/** The block in a chunk's key. */
export function blockOf(key: Uint8Array): number {
  return readUint32(key, 4) * 2 ** 32 + readUint32(key, 8);
}

const hasIdsFlag = 0x10;
const hasPublishersFlag = 0x20;

/**
 * The layout of a chunk's value: the checksum of head and key; the checksum of the text; the size of the
 * head; the head; the text. The text joins all messages, ids and publishers, because one string decodes
 * faster than many.
 */
const textCrcAt = checksumSize;
const headSizeAt = textCrcAt + 4;
const headAt = headSizeAt + 4;

export function encodeChunk(chunk: Chunk, key: Uint8Array): Buffer {
  const { records } = chunk;
  const hasIds = records.some(({ id }) => id !== undefined);
  const hasPublishers = records.some(({ publisher }) => publisher !== undefined);
  let text = '';
  for (const { messageJson, id, publisher } of records) {
    text += id === undefined ? messageJson : messageJson + id;
    if (publisher !== undefined) text += publisher;
  }
  const { encoding, size } = textEncoding(text);
  const headBytesMax = headAt + 1 + (4 + 4 * records.length) * integerBytesMax;
  const writer = new ByteWriter(headBytesMax + size, headAt);
  writer.byte(
    textEncodings.indexOf(encoding) | (hasIds ? hasIdsFlag : 0) | (hasPublishers ? hasPublishersFlag : 0),
  );
  writer.integer(chunk.ordinal);
  writer.integer(chunk.bytesBefore);
  writer.integer(chunk.time);
  writer.integer(records.length);
  let last = chunk.block;
  for (const { sequence, messageJson, id, publisher } of records) {
    writer.integer(sequence - last);
    writer.integer(messageJson.length);
    if (hasIds) writer.integer(id === undefined ? 0 : id.length + 1);
    if (hasPublishers) writer.integer(publisher === undefined ? 0 : publisher.length + 1);
    last = sequence;
  }
  const headEnd = writer.position;
  writer.text(text, encoding);
  const value = writer.buffer.subarray(0, writer.position);
  value.writeUInt32LE(crc32(value.subarray(headEnd)), textCrcAt);
  value.writeUInt32LE(headEnd, headSizeAt);
  writeChecksum(value, headEnd, kinds.chunk, key);
  return value;
}

/**
 * Decodes the head of a chunk. Its records are decoded on first use.
 *
 * @param value - is kept, and must not change
 * @throws LogDamagedError here, or on the first use of `records`
 */
export function decodeChunk(value: Buffer, key: Uint8Array): Chunk {
  const topic = readUint32(key, 0);
  const block = blockOf(key);
  const headEnd = value.length < headAt ? value.length : value.readUInt32LE(headSizeAt);
  if (!hasValidChecksum(value, headEnd, kinds.chunk, key)) throw damagedChunk(topic, block);
  return new StoredChunk(topic, block, value, headEnd);
}

class StoredChunk implements Chunk {
  readonly topic: TopicNumber;
  readonly block: number;
  readonly ordinal: number;
  readonly bytesBefore: number;
  readonly time: number;
  readonly #value: Buffer;
  readonly #headEnd: number;
  readonly #recordsAt: number;
  #records: readonly ChunkRecord[] | undefined;

  constructor(topic: TopicNumber, block: number, value: Buffer, headEnd: number) {
    const reader = new ByteReader(value, headAt + 1);
    this.topic = topic;
    this.block = block;
    this.ordinal = reader.integer();
    this.bytesBefore = reader.integer();
    this.time = reader.integer();
    this.#value = value;
    this.#headEnd = headEnd;
    this.#recordsAt = reader.position;
  }

  get records(): readonly ChunkRecord[] {
    return (this.#records ??= this.#decodeRecords());
  }

  #decodeRecords(): ChunkRecord[] {
    const value = this.#value;
    const text = value.subarray(this.#headEnd);
    if (crc32(text) !== value.readUInt32LE(textCrcAt)) throw damagedChunk(this.topic, this.block);
    const flags = value[headAt] ?? 0;
    const characters = text.toString(textEncodings[flags & 0xf]);
    const hasIds = (flags & hasIdsFlag) !== 0;
    const hasPublishers = (flags & hasPublishersFlag) !== 0;
    const reader = new ByteReader(value, this.#recordsAt);
    const records: ChunkRecord[] = [];
    let sequence = this.block;
    let at = 0;
    for (let left = reader.integer(); left > 0; left--) {
      sequence += reader.integer();
      const end = at + reader.integer();
      const idLength = hasIds ? reader.integer() - 1 : -1;
      const publisherLength = hasPublishers ? reader.integer() - 1 : -1;
      const messageJson = characters.slice(at, end);
      at = end;
      const id = idLength < 0 ? undefined : characters.slice(at, (at += idLength));
      const publisher = publisherLength < 0 ? undefined : characters.slice(at, (at += publisherLength));
      if (publisher !== undefined)
        records.push({ sequence, messageJson, ...(id !== undefined && { id }), publisher });
      else records.push(id === undefined ? { sequence, messageJson } : { sequence, messageJson, id });
    }
    return records;
  }
}

function damagedChunk(topic: TopicNumber, block: number): LogDamagedError {
  return damaged(`the messages of topic number ${topic} in block ${block}`);
}

function readUint32(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at] ?? 0) * 0x1000000 +
    (((bytes[at + 1] ?? 0) << 16) | ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0))
  );
}
