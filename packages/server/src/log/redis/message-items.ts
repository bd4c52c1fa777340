import type { Topic } from '@fanfare/protocol';
import type { LogRecord, NewRecord } from '../topic-log.ts';

/**
 * A message as Redis has it: length of the whole item, sequence, time, the lengths of id and publisher plus
 * one (0: there is none), the length of further fields, id, publisher, further fields, JSON text.
 *
 * Nodes of two versions can share a log during an upgrade. A node skips further fields: a newer version
 * writes there what this one does not know.
 */
const headSize = 20;
const bodyHeadSize = 6;

/** Returns the part of an item that the node makes; the functions add the head. */
export function encodeBody(record: NewRecord): Buffer {
  const body = Buffer.allocUnsafe(bodyLength(record, Buffer.byteLength(record.messageJson)));
  writeBody(body, 0, record);
  return body;
}

/** The length of the item of a record. @param jsonBytes - the size of its JSON text */
export function lengthOfItem(record: Pick<LogRecord, 'id' | 'publisher'>, jsonBytes: number): number {
  return headSize + bodyLength(record, jsonBytes);
}

/** Writes a record as an item. @returns its end */
export function writeItem(bytes: Buffer, at: number, record: LogRecord): number {
  const end = writeBody(bytes, at + headSize, record);
  bytes.writeUInt32LE(end - at, at);
  bytes.writeDoubleLE(record.sequence, at + 4);
  bytes.writeDoubleLE(record.time, at + 12);
  return end;
}

function bodyLength({ id, publisher }: Pick<NewRecord, 'id' | 'publisher'>, jsonBytes: number): number {
  const idSize = id === undefined ? 0 : Buffer.byteLength(id);
  const publisherSize = publisher === undefined ? 0 : Buffer.byteLength(publisher);
  return bodyHeadSize + idSize + publisherSize + jsonBytes;
}

type Texts = Pick<NewRecord, 'id' | 'publisher' | 'messageJson'>;

function writeBody(bytes: Buffer, start: number, { id, publisher, messageJson }: Texts): number {
  const idAt = start + bodyHeadSize;
  const publisherAt = id === undefined ? idAt : idAt + bytes.write(id, idAt);
  const jsonAt = publisher === undefined ? publisherAt : publisherAt + bytes.write(publisher, publisherAt);
  bytes.writeUInt16LE(id === undefined ? 0 : publisherAt - idAt + 1, start);
  bytes.writeUInt16LE(publisher === undefined ? 0 : jsonAt - publisherAt + 1, start + 2);
  bytes.writeUInt16LE(0, start + 4);
  return jsonAt + bytes.write(messageJson, jsonAt);
}

/** The time of the item that begins at a position. */
export function itemTime(bytes: Buffer, at: number): number {
  return bytes.readDoubleLE(at + 12);
}

/** What an item does not say about its message. */
export interface ItemPlace {
  readonly topic: Topic;
  /** 0 if the message is not stored. */
  readonly ordinal: number;
  /** Returns the epoch of a sequence. */
  readonly epochAt: (sequence: number) => string;
}

/** The length of an item that begins at a position. */
export function itemLength(bytes: Buffer, at: number): number {
  return bytes.readUInt32LE(at);
}

/** Reads the item that begins at a position. It allocates one object and the strings of the message. */
export function readItem(bytes: Buffer, at: number, { topic, ordinal, epochAt }: ItemPlace): LogRecord {
  const end = at + bytes.readUInt32LE(at);
  const sequence = bytes.readDoubleLE(at + 4);
  const time = itemTime(bytes, at);
  const idSize = bytes.readUInt16LE(at + headSize);
  const publisherSize = bytes.readUInt16LE(at + headSize + 2);
  const furtherSize = bytes.readUInt16LE(at + headSize + 4);
  const epoch = epochAt(sequence);
  const start = at + headSize + bodyHeadSize;
  const publisherAt = start + Math.max(0, idSize - 1);
  const publisherEnd = publisherAt + Math.max(0, publisherSize - 1);
  const messageJson = bytes.toString('utf8', publisherEnd + furtherSize, end);
  if (idSize === 0 && publisherSize === 0) return { topic, messageJson, epoch, sequence, ordinal, time };
  const id = bytes.toString('utf8', start, publisherAt);
  if (publisherSize === 0) return { topic, messageJson, id, epoch, sequence, ordinal, time };
  const publisher = bytes.toString('utf8', publisherAt, publisherEnd);
  return idSize === 0
    ? { topic, messageJson, publisher, epoch, sequence, ordinal, time }
    : { topic, messageJson, id, publisher, epoch, sequence, ordinal, time };
}
