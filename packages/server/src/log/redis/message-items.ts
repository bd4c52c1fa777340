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
export function encodeBody({ id, publisher, messageJson }: NewRecord): Buffer {
  const idSize = id === undefined ? 0 : Buffer.byteLength(id);
  const publisherSize = publisher === undefined ? 0 : Buffer.byteLength(publisher);
  const body = Buffer.allocUnsafe(bodyHeadSize + idSize + publisherSize + Buffer.byteLength(messageJson));
  body.writeUInt16LE(id === undefined ? 0 : idSize + 1, 0);
  body.writeUInt16LE(publisher === undefined ? 0 : publisherSize + 1, 2);
  body.writeUInt16LE(0, 4);
  let at = bodyHeadSize;
  if (id !== undefined) at += body.write(id, at);
  if (publisher !== undefined) at += body.write(publisher, at);
  body.write(messageJson, at);
  return body;
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
  const time = bytes.readDoubleLE(at + 12);
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
