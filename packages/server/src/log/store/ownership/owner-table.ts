import { Buffer } from 'node:buffer';
import { firstKey, type Change, type LmdbFile } from '../lmdb/lmdb-file.ts';
import { checkNewestCommit } from '../check/meta-pages.ts';
import { parseOwner, type Owner } from './owner-file.ts';
import { decodeText, encodeText } from '../encoding/record-codec.ts';
import { damaged, kinds } from '../encoding/checksum.ts';
import { LogDamagedError } from '../../topic-log.ts';

/** The key of the owner in data of old versions, which have no table `owners`. */
const formerOwnerKey = Buffer.from('owner');

/** The owner in the data file. */
export interface OwnerTable {
  /** @throws LogDamagedError */
  read(): Owner | undefined;
  /**
   * Replaces an owner in one transaction. Returns false if another server was faster.
   *
   * @throws LogDamagedError if the file is damaged
   */
  replace(other: Owner | undefined, owner: Owner): boolean;
}

/**
 * The owner is the only entry of a table, under its own id. Each commit is conditional on that entry. A new
 * owner checks the file first.
 *
 * @param onDamage - called with the name of a damaged part. Then an unreadable owner counts as an unknown one
 */
export function ownerTable(file: LmdbFile, onDamage?: (sentence: string) => void): OwnerTable {
  let isReported = false;
  const decode = (value: Buffer, key: Buffer): Owner => {
    try {
      return decodeOwner(value, key);
    } catch (error) {
      if (!onDamage || !(error instanceof LogDamagedError)) throw error;
      if (!isReported) onDamage(error.message);
      isReported = true;
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
