import { Buffer } from 'node:buffer';
import { DataDirectoryError } from '../directory/data-directory.ts';
import type { Change, LmdbFile } from '../lmdb/lmdb-file.ts';
import { logStateChanges, readLogState } from '../lmdb/log-state.ts';
import { decodeText, encodeText } from '../encoding/record-codec.ts';
import { kinds } from '../encoding/checksum.ts';
import { version } from '../../../version.ts';

/**
 * The format of the data that this version writes. It is raised with every change after which an earlier version would
 * read or write something wrong. Each raise has its step in {@link steps}, and a store of the earlier format among the
 * test's fixtures.
 */
export const format = 3;

/** From each earlier format, what turns its data into that of the next one: a few changes, of less than a MiB in all. */
const steps: Readonly<Record<number, (file: LmdbFile) => Iterable<Change>>> = {
  // Format 2 has `trustedTime` in the log's state. What else it has more is not there yet.
  1: (file) => {
    const state = readLogState(file, 1);
    return state ? logStateChanges(state) : [];
  },
  // Format 3 has revocations, and ids that count per subject. None of either is there yet.
  2: () => [],
};

const formatKey = Buffer.from('format');
/** Under this key is the version of Fanfare that wrote the format's number: one that can read the data. */
const versionKey = Buffer.from('version');

/**
 * Reads the format of a data file. It is undefined when the file is new.
 *
 * @throws DataDirectoryError when this version of Fanfare cannot read the format
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
 * What turns data of an earlier format into data of this one. Each change has to be made before the next one is asked for.
 *
 * @param from - undefined when there is no data yet
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
