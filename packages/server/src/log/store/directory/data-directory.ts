import { constants } from 'node:fs';
import { access, chown, lstat, mkdir, open, readdir, stat, statfs } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { dataFile, isStoreFile, lockFile } from './file-names.ts';
import { networkStorageOf } from './network-storage.ts';

/** Thrown if the data directory cannot be used. The message names the directory, and says what to do. */
export class DataDirectoryError extends Error {
  override readonly name = 'DataDirectoryError';
}

/** Thrown if another server has the data directory, or is about to. It can be free later. */
export class DirectoryInUseError extends DataDirectoryError {
  /** The message without the advice. */
  readonly what: string;

  constructor(what: string, advice: string) {
    super(`${what} ${advice}`);
    this.what = what;
  }
}

/** The free space that a new data file needs. */
const freeBytesMin = 4 * 1024 * 1024;

export interface PrepareOptions {
  /** Whether the directory may be on storage that other machines can mount. */
  readonly allowNetworkStorage: boolean;
  /** The type of a directory's file system, as the system numbers it. */
  readonly storageType?: (directory: string) => Promise<number>;
}

/**
 * Creates the directory if needed, with access only for this user. Makes sure that it can be used: it is on a
 * local disk, and is empty or has the data file, under one name only.
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
        'Name a directory that the server can read and write, or create.',
      { cause: error },
    );
  }
  const network = networkStorageOf(await storageType(directory), process.platform);
  if (network !== undefined && !allowNetworkStorage) {
    throw new DataDirectoryError(
      `The data directory '${directory}' is on network storage (${network}): other machines can write to it at the ` +
        'same time, and messages can be lost. Name a directory on a local disk, ' +
        'or accept the risk with --allow-network-storage (`allowNetworkStorage`).',
    );
  }
  if (entries.includes(dataFile)) return refuseSecondName(join(directory, dataFile));
  const foreign = entries.find((name) => name !== 'lost+found' && !isStoreFile(name));
  if (foreign !== undefined) {
    throw new DataDirectoryError(
      `The data directory '${directory}' is used for something else: it has '${foreign}', but no '${dataFile}'. ` +
        'Name an empty or a new directory.',
    );
  }
  const { bavail, bsize } = await statfs(directory);
  if (bavail * bsize < freeBytesMin) {
    throw new DataDirectoryError(
      `The data directory '${directory}' needs ${freeBytesMin / 1_048_576} MiB of free space, and its disk is full. Free some space, or name another directory.`,
    );
  }
}

async function typeOf(directory: string): Promise<number> {
  return (await statfs(directory)).type;
}

/**
 * LMDB finds its lock by the name of the data file. Under two names, two servers would write at the same
 * time.
 */
async function refuseSecondName(path: string): Promise<void> {
  const stats = await lstat(path);
  const { nlink } = stats;
  const isLink = stats.isSymbolicLink();
  if (!isLink && nlink <= 1) return;
  throw new DataDirectoryError(
    isLink
      ? `The data file '${path}' is a symbolic link. Name the directory of the file itself.`
      : `The data file '${path}' has ${nlink} names (hard links), and another server could write to it under another name. ` +
          `Find the others with \`find DIRECTORY -samefile '${path}'\`, and remove them.`,
  );
}

/**
 * Creates a directory with its parents. Node's recursive `mkdir` never ends if nothing can be created in a
 * parent, as in `/proc`.
 */
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
 * Gives a file to the owner of the data file. Otherwise a tool that root runs would leave files that the
 * server cannot open.
 */
export async function giveToOwner(directory: string, name: string): Promise<void> {
  if (process.getuid?.() !== 0) return;
  try {
    const { uid, gid } = await stat(join(directory, dataFile));
    if (uid !== 0) await chown(join(directory, name), uid, gid);
  } catch {
    // There is no data file yet, or the file system has no owners.
  }
}

/**
 * Makes the directory and its entries survive a power cut, as far as the file system can.
 *
 * @throws DataDirectoryError if the disk fails
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
      // The parent may be closed to us. Windows and some network file systems cannot sync directories.
      if ((error as NodeJS.ErrnoException).code !== 'EIO') continue;
      throw new DataDirectoryError(
        `The data directory '${directory}' cannot be written (${messageOf(error)}). Check its disk, or name another directory.`,
        { cause: error },
      );
    }
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
