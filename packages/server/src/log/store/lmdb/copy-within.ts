import { statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { dataFile } from '../directory/file-names.ts';
import type { LmdbFile } from './lmdb-file.ts';

/** The free space that a snapshot leaves for new messages, in bytes. */
const leftBytesMin = 64 * 1_048_576;

/**
 * Copies the data into a new directory in the data directory, if its disk has the space. The free pages are
 * copied too, because that is faster and cannot crash the server.
 */
export async function copyWithin(file: LmdbFile, directory: string, path: string): Promise<void> {
  const { dataBytes } = file;
  const { bavail, bsize } = await statfs(directory);
  const missing = dataBytes + leftBytesMin - bavail * bsize;
  if (missing > 0)
    throw new Error(
      `A snapshot takes ${Math.ceil(dataBytes / 1_048_576)} MiB for a moment, and the disk of the data directory ` +
        `lacks ${Math.ceil(missing / 1_048_576)} MiB of free space. Free some space, or stop the server first.`,
    );
  await file.copyTo(join(path, dataFile), false);
}
