import { Buffer } from 'node:buffer';
import type { Topic } from '@fanfare/protocol';
import { ByteReader, ByteWriter, integerBytesMax, textEncoding, textEncodings } from './bytes.ts';
import { damaged, hasValidChecksum, kinds, writeChecksum, checksumSize, type ValueKind } from './checksum.ts';
import type { Revocation } from '../../topic-log.ts';
import type { Block, ClockStep, IdBlock, LogState, Run, StoredId, TopicRecord } from '../store.ts';

/** The key of a block: 8 bytes, which sort by block. */
export function blockKey(block: number): Buffer {
  const key = Buffer.allocUnsafe(8);
  key.writeUInt32BE(Math.floor(block / 2 ** 32), 0);
  key.writeUInt32BE(block % 2 ** 32, 4);
  return key;
}

export function topicKey(topic: number): Buffer {
  const key = Buffer.allocUnsafe(4);
  key.writeUInt32BE(topic, 0);
  return key;
}

export function encodeBlock({ first, time, runs }: Block): Buffer {
  const writer = new ByteWriter(checksumSize + (2 + 2 * runs.length) * integerBytesMax, checksumSize);
  writer.integer(time);
  writer.integer(runs.length);
  for (const { topic, count } of runs) {
    writer.integer(topic);
    writer.integer(count);
  }
  return withChecksum(writer, kinds.block, blockKey(first));
}

/** @throws LogDamagedError */
export function decodeBlock(value: Buffer, key: Buffer): Block {
  const first = readBlockKey(key);
  const reader = open(value, kinds.block, key, `the list of topics in block ${first}`);
  const time = reader.integer();
  const runs: Run[] = [];
  for (let left = reader.integer(); left > 0; left--) {
    runs.push({ topic: reader.integer(), count: reader.integer() });
  }
  return { first, time, runs };
}

const hashSize = 16;

export function encodeIds({ block, time, ids }: IdBlock): Buffer {
  const bytesMax = checksumSize + 2 * integerBytesMax + ids.length * (2 * hashSize + integerBytesMax);
  const writer = new ByteWriter(bytesMax, checksumSize);
  writer.integer(time);
  writer.integer(ids.length);
  for (const { key, digest, sequence } of ids) {
    writer.text(key, 'latin1');
    writer.text(digest, 'latin1');
    writer.integer(sequence);
  }
  return withChecksum(writer, kinds.ids, blockKey(block));
}

/** @throws LogDamagedError */
export function decodeIds(value: Buffer, key: Buffer): IdBlock {
  const block = readBlockKey(key);
  const reader = open(value, kinds.ids, key, `the list of ids in block ${block}`);
  const time = reader.integer();
  const ids: StoredId[] = [];
  for (let left = reader.integer(); left > 0; left--) {
    const hash = reader.text(hashSize, 'latin1');
    const digest = reader.text(hashSize, 'latin1');
    ids.push({ key: hash, digest, sequence: reader.integer() });
  }
  return { block, time, ids };
}

const isDeclaredFlag = 1;
const isDeletedFlag = 2;
const keepsFlag = 4;

export function encodeTopic({ number, name, createdAt, gone, ...is }: TopicRecord): Buffer {
  const writer = new ByteWriter(checksumSize + 1 + 5 * integerBytesMax + textBytesMax(name), checksumSize);
  writer.byte(
    (is.isDeclared ? isDeclaredFlag : 0) | (is.isDeleted ? isDeletedFlag : 0) | (is.keeps ? keepsFlag : 0),
  );
  writer.integer(createdAt);
  writer.integer(gone.sequence);
  writer.integer(gone.ordinal);
  writer.integer(gone.bytes);
  writeText(writer, name);
  return withChecksum(writer, kinds.topic, topicKey(number));
}

/** @throws LogDamagedError */
export function decodeTopic(value: Buffer, key: Buffer): TopicRecord {
  const number = key.length === 4 ? key.readUInt32BE(0) : Number.NaN;
  const reader = open(value, kinds.topic, key, `the record of topic number ${number}`);
  const flags = reader.byte();
  const createdAt = reader.integer();
  const gone = { sequence: reader.integer(), ordinal: reader.integer(), bytes: reader.integer() };
  return {
    number,
    name: readText(reader) as Topic,
    isDeclared: (flags & isDeclaredFlag) !== 0,
    isDeleted: (flags & isDeletedFlag) !== 0,
    keeps: (flags & keepsFlag) !== 0,
    createdAt,
    gone,
  };
}

/** Encodes the state without its lists. Those are separate, because they seldom change. */
export function encodeState(state: StateAlone, key: Uint8Array): Buffer {
  const writer = new ByteWriter(checksumSize + 5 * integerBytesMax + textBytesMax(state.epoch), checksumSize);
  writer.integer(state.head);
  writer.integer(state.time);
  writer.integer(state.trustedTime);
  writer.integer(state.topicNumber);
  writer.integer(state.inCommon.sequence);
  writeText(writer, state.epoch);
  return withChecksum(writer, kinds.state, key);
}

/** The state without its lists. `inCommon` is a part of its deletions. */
type StateAlone = Omit<LogState, 'deletions' | 'clockSteps' | 'revocations'> &
  Pick<LogState['deletions'], 'inCommon'>;

/**
 * @param format - of the encoded state
 * @throws LogDamagedError
 */
export function decodeState(value: Buffer, key: Uint8Array, format?: number): StateAlone {
  const reader = open(value, kinds.state, key, "the log's state");
  const head = reader.integer();
  const time = reader.integer();
  return {
    head,
    time,
    trustedTime: format === 1 ? time : reader.integer(),
    topicNumber: reader.integer(),
    inCommon: { sequence: reader.integer() },
    epoch: readText(reader),
  };
}

export function encodeClockSteps(steps: readonly ClockStep[], key: Uint8Array): Buffer {
  const writer = new ByteWriter(checksumSize + (1 + 3 * steps.length) * integerBytesMax, checksumSize);
  writer.integer(steps.length);
  for (const { sequence, before, after } of steps) {
    writer.integer(sequence);
    writer.integer(before);
    writer.integer(after);
  }
  return withChecksum(writer, kinds.clockSteps, key);
}

/** @throws LogDamagedError */
export function decodeClockSteps(value: Buffer, key: Uint8Array): ClockStep[] {
  const reader = open(value, kinds.clockSteps, key, 'the list of clock steps');
  const steps: ClockStep[] = [];
  for (let left = reader.integer(); left > 0; left--) {
    steps.push({ sequence: reader.integer(), before: reader.integer(), after: reader.integer() });
  }
  return steps;
}

export function encodeRevocations(revocations: readonly Revocation[], key: Uint8Array): Buffer {
  let bytesMax = checksumSize + integerBytesMax;
  for (const { subject, ahead } of revocations)
    bytesMax += (2 + ahead.length) * integerBytesMax + textBytesMax(subject);
  const writer = new ByteWriter(bytesMax, checksumSize);
  writer.integer(revocations.length);
  for (const { subject, time, ahead } of revocations) {
    writeText(writer, subject);
    writer.integer(time);
    writer.integer(ahead.length);
    for (const issuedAt of ahead) writer.integer(issuedAt);
  }
  return withChecksum(writer, kinds.revocations, key);
}

/** @throws LogDamagedError */
export function decodeRevocations(value: Buffer, key: Uint8Array): Revocation[] {
  const reader = open(value, kinds.revocations, key, 'the list of revoked subjects');
  const revocations: Revocation[] = [];
  for (let left = reader.integer(); left > 0; left--) {
    const subject = readText(reader);
    const time = reader.integer();
    const ahead: number[] = [];
    for (let more = reader.integer(); more > 0; more--) ahead.push(reader.integer());
    revocations.push({ subject, time, ahead });
  }
  return revocations;
}

/** The name of a topic or a segment, and the highest sequence that was deleted with it. */
type DeletedName = readonly [name: string, sequence: number];

export function encodeDeletions(deletions: readonly DeletedName[], key: Uint8Array): Buffer {
  let bytesMax = checksumSize + integerBytesMax;
  for (const [name] of deletions) bytesMax += 2 * integerBytesMax + textBytesMax(name);
  const writer = new ByteWriter(bytesMax, checksumSize);
  writer.integer(deletions.length);
  for (const [name, sequence] of deletions) {
    writer.integer(sequence);
    writeText(writer, name);
  }
  return withChecksum(writer, kinds.deletions, key);
}

/** @throws LogDamagedError */
export function decodeDeletions(value: Buffer, key: Uint8Array): DeletedName[] {
  const reader = open(value, kinds.deletions, key, 'the list of deleted topics');
  const deletions: DeletedName[] = [];
  for (let left = reader.integer(); left > 0; left--) {
    const sequence = reader.integer();
    deletions.push([readText(reader), sequence]);
  }
  return deletions;
}

/** Encodes a single text, such as the number of the format. */
export function encodeText(text: string, kind: ValueKind, key: Uint8Array): Buffer {
  const writer = new ByteWriter(checksumSize + textBytesMax(text), checksumSize);
  writeText(writer, text);
  return withChecksum(writer, kind, key);
}

/**
 * @param part - the meaning of the text, for the error
 * @throws LogDamagedError
 */
export function decodeText(value: Buffer, kind: ValueKind, key: Uint8Array, part: string): string {
  return readText(open(value, kind, key, part));
}

function withChecksum(writer: ByteWriter, kind: ValueKind, key: Uint8Array): Buffer {
  writeChecksum(writer.buffer, writer.position, kind, key);
  return writer.buffer.subarray(0, writer.position);
}

function open(value: Buffer, kind: ValueKind, key: Uint8Array, part: string): ByteReader {
  if (!hasValidChecksum(value, value.length, kind, key)) throw damaged(part);
  return new ByteReader(value, checksumSize);
}

function readBlockKey(key: Buffer): number {
  return key.length === 8 ? key.readUInt32BE(0) * 2 ** 32 + key.readUInt32BE(4) : Number.NaN;
}

function textBytesMax(text: string): number {
  return 1 + integerBytesMax + 3 * text.length;
}

function writeText(writer: ByteWriter, text: string): void {
  const { encoding, size } = textEncoding(text);
  writer.byte(textEncodings.indexOf(encoding));
  writer.integer(size);
  writer.text(text, encoding);
}

function readText(reader: ByteReader): string {
  const encoding = textEncodings[reader.byte()];
  return reader.text(reader.integer(), encoding ?? 'utf8');
}
