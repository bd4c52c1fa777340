import { LogFullError } from '../../topic-log.ts';
import { statfs } from 'node:fs/promises';
import { constants } from 'node:os';
import { StoreFailedError } from '../store.ts';

/** LMDB's own number for a full map, beside the system's. */
const mapFull = -30_792;

const { errno } = constants;
/** As Node and as LMDB give them; on Windows, LMDB's are ERROR_DISK_FULL and ERROR_HANDLE_DISK_FULL. */
const fullCodes: ReadonlySet<unknown> = new Set([
  'ENOSPC',
  'EDQUOT',
  'EFBIG',
  mapFull,
  ...(process.platform === 'win32' ? [112, 39] : [errno.ENOSPC, errno.EDQUOT, errno.EFBIG]),
]);

/** Less than any commit needs to be sure of its room. */
const spareBytesMin = 1024 * 1024;

/**
 * What a failed commit means for the store.
 *
 * @param error - what lmdb rejected a batch with, or the system's error
 * @param bytes - how much was to be written
 */
export async function failureOf(
  error: unknown,
  directory: string,
  bytes: number,
): Promise<LogFullError | StoreFailedError> {
  const cause = await causeOf(error);
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  const isFull =
    fullCodes.has(code) ||
    // A write that the disk took only in part, because it became full, is an I/O error to LMDB.
    (code === errno.EIO && (await freeBytes(directory)) < bytes * 2 + spareBytesMin);
  const reason = cause instanceof Error ? cause.message : String(cause);
  return isFull
    ? new LogFullError(`There is no room left for the data directory '${directory}' (${reason}).`, { cause })
    : new StoreFailedError(
        `The data directory '${directory}' cannot be written (${reason}). ` +
          'Once the disk is in order, start the server again.',
        undefined,
        { cause },
      );
}

/** lmdb rejects a batch with an error that has a promise, which rejects with the error that says what happened. */
async function causeOf(error: unknown): Promise<unknown> {
  if (!(error instanceof Error) || !('commitError' in error)) return error;
  try {
    await error.commitError;
    return error;
  } catch (cause) {
    return cause;
  }
}

async function freeBytes(directory: string): Promise<number> {
  try {
    const { bavail, bsize } = await statfs(directory);
    return bavail * bsize;
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}
