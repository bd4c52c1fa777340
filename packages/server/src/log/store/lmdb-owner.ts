import { Buffer } from 'node:buffer';
import { DataDirectoryError, type OwnerRegister } from './data-directory.ts';
import type { LmdbFile } from './lmdb-file.ts';
import { checkNewestCommit } from './lmdb-meta.ts';
import { decodeText, encodeText } from './record-codec.ts';
import { kinds } from './seal.ts';

/** Changes with every change after which an older version of Fanfare would read or write something wrong. */
const formatVersion = '1';
const formatKey = Buffer.from('format');
const ownerKey = Buffer.from('owner');

/**
 * @throws DataDirectoryError when the data file has another format than this version writes
 * @throws LogDamagedError
 */
export function checkFormat(file: LmdbFile, directory: string): void {
  const value = file.get('singles', formatKey);
  const version = value && decodeText(value, kinds.format, formatKey, 'the number of its format');
  if (version === undefined || version === formatVersion) return;
  throw new DataDirectoryError(
    `The data directory '${directory}' has format ${version}, and this version of Fanfare reads ` +
      `format ${formatVersion}: it was written by a newer one. Use that, or another data directory.`,
  );
}

/** The owner's name in the data file. Whoever becomes the owner checks the file first. */
export function ownerRegister(file: LmdbFile): OwnerRegister {
  const read = (): string | undefined => {
    const value = file.get('singles', ownerKey);
    return value && decodeText(value, kinds.owner, ownerKey, "its owner's name");
  };
  return {
    read,
    replace: (owner, newOwner) => {
      let isReplaced = false;
      file.writeExclusively(() => {
        if (read() !== owner) return [];
        checkNewestCommit(file.path);
        isReplaced = true;
        return [
          { table: 'singles', key: formatKey, value: encodeText(formatVersion, kinds.format, formatKey) },
          { table: 'singles', key: ownerKey, value: encodeText(newOwner, kinds.owner, ownerKey) },
        ];
      });
      return isReplaced;
    },
  };
}
