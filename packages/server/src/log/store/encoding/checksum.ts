import type { Buffer } from 'node:buffer';
import { crc32 } from 'node:zlib';
import { LogDamagedError } from '../../topic-log.ts';

/** How many bytes a seal takes, at the beginning of a value. */
export const checksumSize = 4;

/** What a value is. It is part of the writeChecksum, so that nothing is taken for something else. */
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

/** Puts a checksum (CRC-32) at the beginning of a value: of kind, key, and the bytes from the seal to `end`. */
export function writeChecksum(value: Buffer, end: number, kind: ValueKind, key: Uint8Array): void {
  value.writeUInt32LE(checksum(value, end, kind, key), 0);
}

/** Whether the bytes from the seal to `end` are what was withChecksum, as this kind and under this key. */
export function hasValidChecksum(value: Buffer, end: number, kind: ValueKind, key: Uint8Array): boolean {
  if (end < checksumSize || end > value.length) return false;
  return value.readUInt32LE(0) === checksum(value, end, kind, key);
}

/**
 * @param part - what cannot be read, as the sentence's subject
 * @param cause - the error that told so, if there was one
 */
export function damaged(part: string, cause?: unknown): LogDamagedError {
  const subject = `${part.charAt(0).toUpperCase()}${part.slice(1)}`;
  return new LogDamagedError(
    `${subject} cannot be read: the data is damaged.`,
    cause === undefined ? {} : { cause },
  );
}

/** The kind and the key come first: as the start value of a CRC they change every result. */
function checksum(value: Buffer, end: number, kind: ValueKind, key: Uint8Array): number {
  return crc32(value.subarray(checksumSize, end), crc32(key, kind));
}
