import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { DataDirectoryError } from '../log/store/directory/data-directory.ts';
import { dataFile } from '../log/store/directory/file-names.ts';
import { openLmdbStore, type LmdbStoreOptions } from '../log/store/lmdb/lmdb-store.ts';
import type { Store } from '../log/store/store.ts';

export type OpenStoreOptions = Pick<LmdbStoreOptions, 'onDamage' | 'onWait'>;

/**
 * Opens the store in a directory that has one, for reading, wherever it is. Nobody else can have it until it is closed.
 *
 * @throws DataDirectoryError, LogDamagedError
 */
export async function openStore(directory: string, options: OpenStoreOptions = {}): Promise<Store> {
  await expectStore(directory);
  return openLmdbStore(directory, { ...options, isReadOnly: true, allowNetworkStorage: true });
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
