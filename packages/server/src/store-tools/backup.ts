import { lstat, mkdtemp, open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { DataDirectoryError, messageOf, syncDirectory } from '../log/store/directory/data-directory.ts';
import { dataFile, lockFile, webhooksFile } from '../log/store/directory/file-names.ts';
import { checkStore } from '../log/store/check/store-check.ts';
import { firstKey, LmdbFile } from '../log/store/lmdb/lmdb-file.ts';
import { changesFrom, readFormat } from '../log/store/migration/format.ts';
import { copyChanges } from '../log/store/restored-copy.ts';
import { readPlaces, writeCopiedPlaces, type Places } from '../webhooks/position-file.ts';
import { openStore, type OpenStoreOptions } from './open-store.ts';

export interface Backup {
  /** The size in bytes. */
  readonly bytes: number;
  /** The sequence of the newest message that it can have. */
  readonly head: number;
}

/**
 * Copies a data directory, also one that a server uses. The copy is a data directory too, and has everything
 * that was acknowledged before. It exists completely after this resolves, and not at all before.
 *
 * @param target - MUST NOT exist
 * @throws DataDirectoryError, LogDamagedError
 */
export async function backupStore(
  directory: string,
  target: string,
  options: Pick<OpenStoreOptions, 'onWait'> = {},
): Promise<Backup> {
  await refuseExisting(target);
  const store = await openStore(directory, options);
  try {
    const { head = 0, epoch = '' } = store.readState() ?? {};
    // Before the copy of the log, so that the log has everything that the webhooks have delivered.
    const places = placesOf(directory, epoch);
    const staging = await makeStaging(target);
    try {
      await store.copyTo(join(staging, dataFile)).catch((error: unknown) => {
        throw cannotWrite(target, error);
      });
      await markCopy(staging);
      await checkStore(staging, undefined);
      await rm(join(staging, lockFile));
      const bytes = await sizeOf(join(staging, dataFile));
      if (places) await writeCopiedPlaces(staging, places, epoch);
      await syncDirectory(staging);
      await refuseExisting(target);
      await rename(staging, target);
      await syncDirectory(target);
      return { bytes, head };
    } catch (error) {
      await rm(staging, { recursive: true, force: true });
      throw error;
    }
  } finally {
    await store.close();
  }
}

async function refuseExisting(target: string): Promise<void> {
  const there = await lstat(target).catch(() => undefined);
  if (there)
    throw new DataDirectoryError(`'${target}' exists already. Name a new directory for each backup.`);
}

/** How far the webhooks are, if there are any. */
function placesOf(directory: string, epoch: string): Places | undefined {
  try {
    return readPlaces(directory, epoch);
  } catch (error) {
    throw new DataDirectoryError(
      `'${webhooksFile}' in the data directory '${directory}' cannot be read: ${messageOf(error)}. It says which messages the ` +
        'webhooks have delivered. Without it, the webhooks of a restored backup begin with new messages.',
      { cause: error },
    );
  }
}

/** Makes a directory next to the target, whose name says that it is not a backup. */
async function makeStaging(target: string): Promise<string> {
  const path = resolve(target);
  return mkdtemp(join(dirname(path), `${basename(path)}.incomplete-`)).catch((error: unknown) => {
    throw cannotWrite(target, error);
  });
}

/**
 * Converts the copy to the format of this version, in which a server finds that it is a copy. The owner of
 * the original is not the owner of the copy.
 */
async function markCopy(staging: string): Promise<void> {
  const file = new LmdbFile(staging);
  try {
    const from = readFormat(file, staging);
    const owners = [...file.read('owners', (_, key) => key, firstKey)];
    file.writeExclusively(function* () {
      for (const key of owners) yield { table: 'owners', key };
      yield* changesFrom(file, from);
      yield* copyChanges();
    });
  } finally {
    await file.close();
  }
}

async function sizeOf(path: string): Promise<number> {
  const file = await open(path);
  try {
    await file.sync();
    return (await file.stat()).size;
  } finally {
    await file.close();
  }
}

function cannotWrite(target: string, error: unknown): DataDirectoryError {
  return new DataDirectoryError(
    `The backup '${target}' cannot be written: ${messageOf(error)}. Name a new directory on a disk with enough free space.`,
    { cause: error },
  );
}
