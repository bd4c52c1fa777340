import { statSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf } from './data-directory.ts';
import { dataFile, lockFile } from './file-names.ts';

/** `gone`: a path does not lead to the open file. `shared`: the file has another name, where LMDB has another lock for it. */
export interface FileTrouble {
  readonly kind: 'gone' | 'shared';
  /** The name of the file. */
  readonly file: string;
  /** A sentence without its end. */
  readonly what: string;
}

/**
 * Tells whether what is at the paths of an open store is still the store. What is deleted or moved stays open, and can
 * be written, but nobody finds it after a restart.
 */
export class FileIdentities {
  readonly #files: readonly {
    readonly file: string;
    readonly path: string;
    readonly identity: string | undefined;
  }[];

  /** To be made once the store is open. */
  constructor(directory: string) {
    this.#files = [dataFile, lockFile].map((file) => {
      const path = join(directory, file);
      return { file, path, identity: look(path)?.identity };
    });
  }

  /** What is wrong now, if anything is. */
  check(): FileTrouble | undefined {
    for (const { file, path, identity } of this.#files) {
      let there: ReturnType<typeof look>;
      try {
        there = look(path);
      } catch (error) {
        return { kind: 'gone', file, what: `'${path}' cannot be looked at any more (${messageOf(error)})` };
      }
      if (!there)
        return { kind: 'gone', file, what: `'${path}' was deleted or moved while the server had it open` };
      if (there.identity !== identity)
        return { kind: 'gone', file, what: `'${path}' was replaced while the server had it open` };
      if (there.names > 1n)
        return {
          kind: 'shared',
          file,
          what: `'${path}' has ${there.names} names (hard links): another server could write it`,
        };
    }
    return undefined;
  }
}

function look(path: string): { readonly identity: string; readonly names: bigint } | undefined {
  const stats = statSync(path, { bigint: true, throwIfNoEntry: false });
  return stats && { identity: `${stats.dev}:${stats.ino}`, names: stats.nlink };
}

/** Where a store is: its directory and its data file, by device and inode. A copy is somewhere else. */
export function placeOf(directory: string): string {
  const identities = [directory, join(directory, dataFile)].map((path) => look(path)?.identity);
  return identities.filter((identity) => identity !== undefined).join(' ');
}
