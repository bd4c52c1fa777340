import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { DataDirectoryError } from '../log/store/data-directory.ts';
import { dataFile } from '../log/store/directory-names.ts';
import { openLmdbStore } from '../log/store/lmdb-store.ts';
import type { Store } from '../log/store/store.ts';

/**
 * Opens the store in a directory that has one, for reading. Nobody else can have it until it is closed.
 *
 * @throws DataDirectoryError, LogDamagedError
 */
export async function openStore(directory: string): Promise<Store> {
  await expectStore(directory);
  return openLmdbStore(directory, { isReadOnly: true });
}

/** @throws DataDirectoryError when there is none in the directory */
export async function expectStore(directory: string): Promise<void> {
  try {
    await access(join(directory, dataFile));
  } catch (error) {
    throw new DataDirectoryError(
      `There is no log in '${directory}': it has no file '${dataFile}' that can be read. Name the directory that the server has as --data.`,
      { cause: error },
    );
  }
}
