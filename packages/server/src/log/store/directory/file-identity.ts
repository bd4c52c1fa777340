import { statSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf } from './data-directory.ts';
import { dataFile, lockFile } from './file-names.ts';

/**
 * `gone`: the path no longer leads to the open file. `shared`: the file has another name, under which LMDB
 * has another lock.
 */
export interface FileTrouble {
  readonly kind: 'gone' | 'shared';
  /** The name of the file. */
  readonly file: string;
  /** A sentence without its full stop. */
  readonly what: string;
}

/**
 * Checks that the paths of an open store still lead to the store. A deleted or moved file stays open and
 * writable, but the server cannot find it after a restart.
 */
export class FileIdentities {
  readonly #files: readonly {
    readonly file: string;
    readonly path: string;
    readonly identity: string | undefined;
  }[];

  /** To be created after the store was opened. */
  constructor(directory: string) {
    this.#files = [dataFile, lockFile].map((file) => {
      const path = join(directory, file);
      return { file, path, identity: look(path)?.identity };
    });
  }

  /** Returns the present trouble, if there is any. */
  check(): FileTrouble | undefined {
    for (const { file, path, identity } of this.#files) {
      let there: ReturnType<typeof look>;
      try {
        there = look(path);
      } catch (error) {
        return { kind: 'gone', file, what: `'${path}' cannot be checked any more (${messageOf(error)})` };
      }
      if (!there)
        return { kind: 'gone', file, what: `'${path}' was deleted or moved while the server had it open` };
      if (there.identity !== identity)
        return { kind: 'gone', file, what: `'${path}' was replaced while the server had it open` };
      if (there.names > 1n)
        return {
          kind: 'shared',
          file,
          what: `'${path}' has ${there.names} names (hard links): another server could write to it`,
        };
    }
    return undefined;
  }
}

function look(path: string): { readonly identity: string; readonly names: bigint } | undefined {
  const stats = statSync(path, { bigint: true, throwIfNoEntry: false });
  return stats && { identity: `${stats.dev}:${stats.ino}`, names: stats.nlink };
}

/**
 * The identity of a store: its directory and its data file, by device and inode. A copy has another identity.
 */
export function placeOf(directory: string): string {
  const identities = [directory, join(directory, dataFile)].map((path) => look(path)?.identity);
  return identities.filter((identity) => identity !== undefined).join(' ');
}
