import { Buffer } from 'node:buffer';
import type { OwnerRegister } from './data-directory.ts';
import type { LmdbFile } from './lmdb-file.ts';
import { checkNewestCommit } from './lmdb-meta.ts';
import { decodeText, encodeText } from './record-codec.ts';
import { kinds } from './seal.ts';

const ownerKey = Buffer.from('owner');

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
        return [{ table: 'singles', key: ownerKey, value: encodeText(newOwner, kinds.owner, ownerKey) }];
      });
      return isReplaced;
    },
  };
}
