import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { DataDirectoryError } from '../log/store/directory/data-directory.ts';
import { dataFile } from '../log/store/directory/file-names.ts';
import { openLmdbStore, type LmdbStore, type LmdbStoreOptions } from '../log/store/lmdb/lmdb-store.ts';
import { requestSnapshot } from '../log/store/ownership/request-snapshot.ts';

export type OpenStoreOptions = Pick<LmdbStoreOptions, 'onDamage' | 'onWait'>;

/**
 * Opens an existing store for reading, on any storage. The directory is locked until the store is closed.
 * If a server uses it, a snapshot of its data is opened instead.
 *
 * @throws DataDirectoryError, LogDamagedError
 */
export async function openStore(directory: string, options: OpenStoreOptions = {}): Promise<LmdbStore> {
  await expectStore(directory);
  const snapshot = await requestSnapshot(directory);
  const from = snapshot?.directory ?? directory;
  try {
    const onClosed = (): void => snapshot?.release();
    return await openLmdbStore(from, { ...options, onClosed, isReadOnly: true, allowNetworkStorage: true });
  } catch (error) {
    snapshot?.release();
    throw error;
  }
}

/** @throws DataDirectoryError if the directory has no store */
export async function expectStore(directory: string): Promise<void> {
  try {
    await access(join(directory, dataFile));
  } catch (error) {
    throw new DataDirectoryError(
      `There is no log in '${directory}': it has no readable file '${dataFile}'. Name the directory of the server's --data.`,
      { cause: error },
    );
  }
}
