import { Buffer } from 'node:buffer';
import { DataDirectoryError } from '../directory/data-directory.ts';
import type { Change, LmdbFile } from '../lmdb/lmdb-file.ts';
import { logStateChanges, readLogState } from '../lmdb/log-state.ts';
import { decodeText, encodeText } from '../encoding/record-codec.ts';
import { kinds } from '../encoding/checksum.ts';
import { version } from '../../../version.ts';

/**
 * The format of the data that this version writes. A change of the data that an earlier version would misread
 * or miswrite raises it. Each new format has its step in {@link steps}, and a store of the format before
 * among the test fixtures.
 */
export const format = 4;

/**
 * Converts the data of a format into that of the next one. A step is a few changes, of less than 1 MiB in
 * all.
 */
const steps: Readonly<Record<number, (file: LmdbFile) => Iterable<Change>>> = {
  // Format 2 has `trustedTime` in the log's state. Its other additions are empty at first.
  1: (file) => {
    const state = readLogState(file, 1);
    return state ? logStateChanges(state) : [];
  },
  // Format 3 has revocations, and ids that count per subject. Both are empty at first.
  2: () => [],
  // Format 4 can have the mark of a copy.
  3: () => [],
};

const formatKey = Buffer.from('format');
/** The version of Fanfare that wrote the format. It can read the data. */
const versionKey = Buffer.from('version');

/**
 * Reads the format of a data file; undefined if the file is new.
 *
 * @throws DataDirectoryError if this version of Fanfare cannot read the format
 * @throws LogDamagedError
 */
export function readFormat(file: LmdbFile, directory: string): number | undefined {
  const text = textOf(file, formatKey, 'the number of its format');
  const found = Number(text);
  if (text === undefined) return undefined;
  if (found === format || steps[found]) return found;
  const needed = textOf(file, versionKey, 'the version of Fanfare that it needs');
  throw new DataDirectoryError(
    `The data directory '${directory}' has format ${text}, and this version of Fanfare (${version}) reads formats up to ` +
      `${format}. Use ${needed === undefined ? 'a newer version' : `version ${needed} or a newer one`}, or another data directory.`,
  );
}

/**
 * Yields the changes that convert data to this format. Each change must be made before the next one is taken.
 *
 * @param from - undefined if there is no data yet
 */
export function* changesFrom(file: LmdbFile, from: number | undefined): Generator<Change, void, undefined> {
  for (let at = from ?? format; at < format; at++) yield* steps[at]?.(file) ?? [];
  yield textChange(formatKey, String(format));
  yield textChange(versionKey, version);
}

function textOf(file: LmdbFile, key: Buffer, part: string): string | undefined {
  const value = file.get('singles', key);
  return value && decodeText(value, kinds.format, key, part);
}

function textChange(key: Buffer, text: string): Change {
  return { table: 'singles', key, value: encodeText(text, kinds.format, key) };
}
