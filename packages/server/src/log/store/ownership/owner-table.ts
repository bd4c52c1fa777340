import { Buffer } from 'node:buffer';
import { firstKey, type Change, type LmdbFile } from '../lmdb/lmdb-file.ts';
import { checkNewestCommit } from '../check/meta-pages.ts';
import { parseOwner, type Owner } from './owner-file.ts';
import { decodeText, encodeText } from '../encoding/record-codec.ts';
import { damaged, kinds } from '../encoding/checksum.ts';
import { LogDamagedError } from '../../topic-log.ts';

/** Where versions before the table `owners` named their owner. */
const formerOwnerKey = Buffer.from('owner');

/** The owner as the data file names it. */
export interface OwnerTable {
  /** @throws LogDamagedError */
  read(): Owner | undefined;
  /**
   * Puts one owner in the place of another in one step. Returns false when somebody else was faster.
   *
   * @throws LogDamagedError when the file is damaged
   */
  replace(other: Owner | undefined, owner: Owner): boolean;
}

/**
 * The owner is the one entry of a table, under its own id: commits are made on the condition that the entry is there.
 * Whoever becomes the owner checks the file first.
 *
 * @param onDamage - told what is damaged; an owner that cannot be read counts as one of whom nothing is known then
 */
export function ownerTable(file: LmdbFile, onDamage?: (sentence: string) => void): OwnerTable {
  let isTold = false;
  const decode = (value: Buffer, key: Buffer): Owner => {
    try {
      return decodeOwner(value, key);
    } catch (error) {
      if (!onDamage || !(error instanceof LogDamagedError)) throw error;
      if (!isTold) onDamage(error.message);
      isTold = true;
      return { id: key.toString(), place: '', pid: 0, host: 'an unknown machine' };
    }
  };
  const read = (): Owner | undefined => {
    for (const owner of file.read('owners', decode, firstKey)) return owner;
    return undefined;
  };
  return {
    read,
    replace: (other, owner) => {
      let isReplaced = false;
      file.writeExclusively(() => {
        if (read()?.id !== other?.id) return [];
        checkNewestCommit(file.path);
        isReplaced = true;
        return [
          { table: 'singles', key: formerOwnerKey },
          ...(other ? [ownerRemoval(other)] : []),
          { table: 'owners', key: ownerKey(owner), value: encodeOwner(owner) },
        ];
      });
      return isReplaced;
    },
  };
}

export function ownerKey({ id }: Owner): Buffer {
  return Buffer.from(id);
}

export function ownerRemoval(owner: Owner): Change {
  return { table: 'owners', key: ownerKey(owner) };
}

function encodeOwner(owner: Owner): Buffer {
  return encodeText(JSON.stringify(owner), kinds.owner, ownerKey(owner));
}

function decodeOwner(value: Buffer, key: Buffer): Owner {
  const part = "the data file's owner";
  const owner = parseOwner(decodeText(value, kinds.owner, key, part));
  if (!owner) throw damaged(part);
  return owner;
}
