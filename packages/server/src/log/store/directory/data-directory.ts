import { constants } from 'node:fs';
import { access, chown, lstat, mkdir, open, readdir, stat, statfs } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { dataFile, isStoreFile, lockFile } from './file-names.ts';
import { networkStorageOf } from './network-storage.ts';

/** The directory for the data cannot be used. The message names it, and says what to do. */
export class DataDirectoryError extends Error {
  override readonly name = 'DataDirectoryError';
}

/** How much room there has to be for a new data file. */
const freeBytesMin = 4 * 1024 * 1024;

export interface PrepareOptions {
  /** Whether other machines may have the directory at the same time. */
  readonly allowNetworkStorage: boolean;
  /** The number that the system gives the type of a directory's file system. */
  readonly storageType?: (directory: string) => Promise<number>;
}

/**
 * Makes the directory if need be, for nobody else to read, and makes sure that it can be used: that it is on a
 * disk of this machine, and is empty or has the data file, under its one name.
 *
 * @throws DataDirectoryError
 */
export async function prepareDirectory(
  directory: string,
  { allowNetworkStorage, storageType = typeOf }: PrepareOptions,
): Promise<void> {
  let entries: string[];
  try {
    await makeDirectory(directory);
    await access(directory, constants.R_OK | constants.W_OK | constants.X_OK);
    entries = await readdir(directory);
    for (const name of [dataFile, lockFile]) {
      if (entries.includes(name)) await access(join(directory, name), constants.R_OK | constants.W_OK);
    }
  } catch (error) {
    throw new DataDirectoryError(
      `The data directory '${directory}' cannot be used: ${messageOf(error)}. ` +
        'Name a directory that the server may read and write, or may make.',
      { cause: error },
    );
  }
  const network = networkStorageOf(await storageType(directory), process.platform);
  if (network !== undefined && !allowNetworkStorage) {
    throw new DataDirectoryError(
      `The data directory '${directory}' is on network storage (${network}): other machines can write there at the ` +
        'same time, and messages can be lost. Name a directory on a local disk, ' +
        'or accept the risk with --allow-network-storage (`allowNetworkStorage`).',
    );
  }
  if (entries.includes(dataFile)) return refuseSecondName(join(directory, dataFile));
  const foreign = entries.find((name) => name !== 'lost+found' && !isStoreFile(name));
  if (foreign !== undefined) {
    throw new DataDirectoryError(
      `The data directory '${directory}' is in use for something else: it has '${foreign}', but no '${dataFile}'. ` +
        'Name a directory that is empty or new.',
    );
  }
  const { bavail, bsize } = await statfs(directory);
  if (bavail * bsize < freeBytesMin) {
    throw new DataDirectoryError(
      `The data directory '${directory}' has no room: its disk is full. Make room, or name another one.`,
    );
  }
}

async function typeOf(directory: string): Promise<number> {
  return (await statfs(directory)).type;
}

/** LMDB finds its lock by the name of the data file: under two names, two servers would write at the same time. */
async function refuseSecondName(path: string): Promise<void> {
  const stats = await lstat(path);
  const { nlink } = stats;
  const isLink = stats.isSymbolicLink();
  if (!isLink && nlink <= 1) return;
  throw new DataDirectoryError(
    isLink
      ? `The data file '${path}' is a symbolic link. Name the directory that the file itself is in.`
      : `The data file '${path}' has ${nlink} names (hard links), and another server could write it under another one. ` +
          `Find the others with \`find DIRECTORY -samefile '${path}'\`, and remove them.`,
  );
}

/** Node's own recursive `mkdir` never ends where a parent is there and nothing can be made in it, as in `/proc`. */
export async function makeDirectory(directory: string): Promise<void> {
  const make = (): Promise<void> =>
    mkdir(directory, { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
  try {
    await make();
  } catch (error) {
    const parent = dirname(directory);
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || parent === directory) throw error;
    await makeDirectory(parent);
    await make();
  }
}

/**
 * Gives a file beside the data file to the owner of the data file. Else the server's user could not open what a tool leaves that was
 * run as root.
 */
export async function giveToOwner(directory: string, name: string): Promise<void> {
  if (process.getuid?.() !== 0) return;
  try {
    const { uid, gid } = await stat(join(directory, dataFile));
    if (uid !== 0) await chown(join(directory, name), uid, gid);
  } catch {
    // There is no data file yet, or the file system knows no owners.
  }
}

/**
 * Makes sure that a power cut leaves the directory, and the files that are in it, as far as the file system can.
 *
 * @throws DataDirectoryError when the disk fails
 */
export async function syncDirectory(directory: string): Promise<void> {
  for (const path of [directory, dirname(resolve(directory))]) {
    try {
      const handle = await open(path);
      try {
        await handle.sync();
      } finally {
        await handle.close();
      }
    } catch (error) {
      // The one above may be closed to us; Windows and some network file systems have no such thing.
      if ((error as NodeJS.ErrnoException).code !== 'EIO') continue;
      throw new DataDirectoryError(
        `The data directory '${directory}' cannot be written (${messageOf(error)}). See to its disk, or name another one.`,
        { cause: error },
      );
    }
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
