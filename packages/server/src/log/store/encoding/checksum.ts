import type { Buffer } from 'node:buffer';
import { crc32 } from 'node:zlib';
import { LogDamagedError } from '../../topic-log.ts';

/** The size of the checksum at the beginning of a value. */
export const checksumSize = 4;

/**
 * The kinds of values. The kind is part of the checksum, so that no value is taken for one of another kind.
 */
export const kinds = {
  format: 1,
  owner: 2,
  state: 3,
  deletions: 4,
  topic: 5,
  block: 6,
  ids: 7,
  chunk: 8,
  clockSteps: 9,
  revocations: 10,
} as const;

export type ValueKind = (typeof kinds)[keyof typeof kinds];

/**
 * Writes a checksum (CRC-32) to the beginning of a value. It covers the kind, the key, and the bytes up to
 * `end`.
 */
export function writeChecksum(value: Buffer, end: number, kind: ValueKind, key: Uint8Array): void {
  value.writeUInt32LE(checksum(value, end, kind, key), 0);
}

/** Whether a value has the checksum of its kind, its key, and the bytes up to `end`. */
export function hasValidChecksum(value: Buffer, end: number, kind: ValueKind, key: Uint8Array): boolean {
  if (end < checksumSize || end > value.length) return false;
  return value.readUInt32LE(0) === checksum(value, end, kind, key);
}

/**
 * @param part - the unreadable part, as the subject of the sentence
 * @param cause - the error that showed the damage, if there was one
 */
export function damaged(part: string, cause?: unknown): LogDamagedError {
  const subject = `${part.charAt(0).toUpperCase()}${part.slice(1)}`;
  return new LogDamagedError(
    `${subject} cannot be read: the data is damaged.`,
    cause === undefined ? {} : { cause },
  );
}

/** The kind and the key come first: as the initial value of a CRC they change every result. */
function checksum(value: Buffer, end: number, kind: ValueKind, key: Uint8Array): number {
  return crc32(value.subarray(checksumSize, end), crc32(key, kind));
}
