import { Buffer } from 'node:buffer';
import { randomBytes } from 'node:crypto';
import { encodeText } from './encoding/record-codec.ts';
import { kinds } from './encoding/checksum.ts';
import type { FreeSpace } from './lmdb/free-space.ts';
import type { Change, LmdbFile } from './lmdb/lmdb-file.ts';
import { logStateChanges, readLogState } from './lmdb/log-state.ts';

/** Present in a copy that no server has used. */
const copyKey = Buffer.from('copy');

/** More than a new epoch writes. */
const changesBytesMax = 1_048_576;

/** A new epoch, which no log has had. */
export function newEpoch(): string {
  return randomBytes(8).toString('base64url');
}

/** Yields the changes that make a file a copy. Its log has a new epoch as soon as a server uses it. */
export function* copyChanges(): Generator<Change, void, undefined> {
  yield { table: 'singles', key: copyKey, value: encodeText('', kinds.format, copyKey) };
}

/**
 * Begins a new epoch if the file is a copy. The original may have given the next offsets to other messages,
 * and so may another server that started with the same copy.
 *
 * @param onNewEpoch - called if the file is a copy
 * @throws the system's error if the disk is full
 */
export async function beginEpochOfCopy(
  file: LmdbFile,
  space: FreeSpace,
  onNewEpoch: (epoch: string) => void,
): Promise<void> {
  if (!file.get('singles', copyKey)) return;
  await space.reserve(changesBytesMax, false);
  const epoch = newEpoch();
  file.writeExclusively(function* () {
    yield { table: 'singles', key: copyKey };
    const state = readLogState(file);
    if (state) yield* logStateChanges({ ...state, epoch });
  });
  onNewEpoch(epoch);
}
