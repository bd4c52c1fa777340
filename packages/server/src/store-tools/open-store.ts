import { access, stat } from 'node:fs/promises';
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
  if (!snapshot) return openForReading(directory, options);
  const before = await identityOf(snapshot.directory);
  try {
    const onClosed = (): void => snapshot.release();
    const store = await openForReading(snapshot.directory, { ...options, onClosed });
    if ((await identityOf(snapshot.directory)) === before) return store;
    await store.close();
    throw new Error('It was removed.');
  } catch (error) {
    snapshot.release();
    const isThere = before !== undefined && (await identityOf(snapshot.directory)) === before;
    throw isThere ? error : snapshotRemoved(directory, error);
  }
}

function openForReading(directory: string, options: LmdbStoreOptions): Promise<LmdbStore> {
  return openLmdbStore(directory, { ...options, isReadOnly: true, allowNetworkStorage: true });
}

async function identityOf(directory: string): Promise<number | undefined> {
  return stat(join(directory, dataFile)).then(
    ({ ino }) => ino,
    () => undefined,
  );
}

/** A server that stops removes its snapshots. */
function snapshotRemoved(directory: string, cause: unknown): DataDirectoryError {
  return new DataDirectoryError(
    `The server that uses '${directory}' has stopped meanwhile, and has removed its snapshot. Try again.`,
    { cause },
  );
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
