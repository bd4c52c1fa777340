import { link, mkdtemp, readdir, rename, rm, rmdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { DataDirectoryError, makeDirectory, syncDirectory } from '../log/store/directory/data-directory.ts';
import { dataFile } from '../log/store/directory/file-names.ts';
import { openLmdbStore } from '../log/store/lmdb/lmdb-store.ts';
import { newEpoch } from '../log/store/restored-copy.ts';
import { ImportReader, type ImportOptions } from './import-reader.ts';
import { StoreBuilder } from './store-builder.ts';
import type { StoreCounts } from './verify.ts';

/** The maximum of the setting `idWindow`. */
const idWindowMsMax = 604_800_000;

/**
 * Creates a log from an export, in a directory without one. The log exists completely after this resolves,
 * and not at all before.
 *
 * @throws ImportError, DataDirectoryError
 */
export async function importStore(directory: string, options: ImportOptions): Promise<StoreCounts> {
  const isNew = await isAbsent(directory);
  await makeEmptyDirectory(directory);
  const staging = await mkdtemp(join(directory, 'import-'));
  try {
    const store = await openLmdbStore(staging, { allowNetworkStorage: true });
    const now = options.now();
    const importer = new StoreBuilder(store, { epoch: newEpoch(), now, idsSince: now - idWindowMsMax });
    let counts: StoreCounts;
    try {
      counts = await new ImportReader(importer, options).run();
    } finally {
      await store.close();
    }
    await moveInto(directory, staging);
    await rm(staging, { recursive: true, force: true });
    return counts;
  } catch (error) {
    await rm(staging, { recursive: true, force: true });
    if (isNew) await rmdir(directory).catch(() => {});
    throw error;
  }
}

async function isAbsent(directory: string): Promise<boolean> {
  return stat(directory).then(
    () => false,
    () => true,
  );
}

/** @throws DataDirectoryError if the directory is not empty */
async function makeEmptyDirectory(directory: string): Promise<void> {
  let entries: readonly string[];
  try {
    await makeDirectory(directory);
    entries = await readdir(directory);
  } catch (error) {
    throw new DataDirectoryError(
      `The directory '${directory}' cannot be used: ${(error as Error).message}. Name a directory that can be created.`,
      { cause: error },
    );
  }
  if (entries.includes(dataFile)) throw hasLog(directory);
  const other = entries.find((name) => name !== 'lost+found');
  if (other === undefined) return;
  throw new DataDirectoryError(
    `The directory '${directory}' is not empty: it has '${other}'. An import creates a new log. Name an empty or a new directory.`,
  );
}

function hasLog(directory: string): DataDirectoryError {
  return new DataDirectoryError(
    `The directory '${directory}' already has a log, and an import creates a new one. Name an empty or a new directory.`,
  );
}

/** Moves the data file in one step, and never over an existing log. */
async function moveInto(directory: string, staging: string): Promise<void> {
  const [from, to] = [join(staging, dataFile), join(directory, dataFile)];
  try {
    await link(from, to);
    // A server refuses a data file with two names.
    await rm(from);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') throw hasLog(directory);
    // Some file systems have no hard links.
    await rename(from, to);
  }
  await syncDirectory(directory);
}
