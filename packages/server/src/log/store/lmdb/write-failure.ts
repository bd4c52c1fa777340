import { LogFullError } from '../../topic-log.ts';
import { statfs } from 'node:fs/promises';
import { constants } from 'node:os';
import { StoreFailedError } from '../store.ts';

/** LMDB's own error number for a full map. The other numbers are those of the system. */
const mapFull = -30_792;

const { errno } = constants;
/** As Node and LMDB report them. On Windows, those of LMDB are ERROR_DISK_FULL and ERROR_HANDLE_DISK_FULL. */
const fullCodes: ReadonlySet<unknown> = new Set([
  'ENOSPC',
  'EDQUOT',
  'EFBIG',
  mapFull,
  ...(process.platform === 'win32' ? [112, 39] : [errno.ENOSPC, errno.EDQUOT, errno.EFBIG]),
]);

/** Less than any commit reserves. */
const spareBytesMin = 1024 * 1024;

/**
 * Turns the failure of a commit into an error of the log.
 *
 * @param error - the rejection of lmdb's batch, or the system's error
 * @param bytes - the size of the commit
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
    // A partial write on a full disk is an I/O error for LMDB.
    (code === errno.EIO && (await freeBytes(directory)) < bytes * 2 + spareBytesMin);
  const reason = cause instanceof Error ? cause.message : String(cause);
  return isFull
    ? new LogFullError(
        `The disk of the data directory '${directory}' is full (${reason}). Free some space.`,
        { cause },
      )
    : new StoreFailedError(
        `The data directory '${directory}' cannot be written (${reason}). ` +
          'Once the disk works again, restart the server.',
        undefined,
        { cause },
      );
}

/** lmdb rejects a batch with an error that has a promise. That promise rejects with the cause. */
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
