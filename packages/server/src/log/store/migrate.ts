import { Buffer } from 'node:buffer';
import { open, rename, rm, statfs, type FileHandle } from 'node:fs/promises';
import { DataDirectoryError, syncDirectory } from './data-directory.ts';
import type { FileRoom } from './file-room.ts';
import { changesFrom, format } from './format.ts';
import { dataFile } from './directory-names.ts';
import type { LmdbFile } from './lmdb-file.ts';

/** What is told of a migration: when its copy is begun, when that is on the disk, and when the data is migrated. */
export interface MigrationProgress {
  readonly step: 'begun' | 'copied' | 'migrated';
  readonly from: number;
  readonly to: number;
  /** The path of the copy of the data file as it was before. */
  readonly copy: string;
}

export interface MigrationParts {
  readonly directory: string;
  readonly file: LmdbFile;
  readonly room: FileRoom;
  readonly onProgress: (progress: MigrationProgress) => void;
}

/** More than all steps write. */
const changesBytesMax = 1_048_576;

/** What has to be left on the disk beside the copy. */
const leftBytesMin = 16 * 1_048_576;

const pieceBytes = 1_048_576;

/**
 * Migrates a data file from an earlier format to this version's, after making a copy of it. The migration is one
 * transaction: a crash at any moment leaves the earlier format, which the next start migrates, or this one.
 *
 * Nobody else MUST write to the file meanwhile.
 *
 * @throws DataDirectoryError when there is no room for the copy, or it cannot be made; nothing is changed then
 */
export async function migrate(from: number, parts: MigrationParts): Promise<void> {
  const { directory, file, room, onProgress } = parts;
  const copy = `${file.path}.format-${from}`;
  const tell = (step: MigrationProgress['step']): void => onProgress({ step, from, to: format, copy });
  tell('begun');
  try {
    await copyWhole(file.path, copy);
    await syncDirectory(directory);
    tell('copied');
    await room.reserve(changesBytesMax, false);
  } catch (error) {
    throw cannotMigrate(directory, from, error);
  }
  file.writeExclusively(() => changesFrom(file, from));
  tell('migrated');
}

/** Makes a copy that is there as a whole or not at all. It takes the place of one that an interrupted start left. */
async function copyWhole(path: string, copy: string): Promise<void> {
  const part = `${copy}.part`;
  await rm(part, { force: true });
  const source = await open(path);
  try {
    await checkRoom(path, source);
    const target = await open(part, 'wx', 0o600);
    try {
      await copyData(source, target);
      await target.sync();
    } finally {
      await target.close();
    }
    await rename(part, copy);
  } catch (error) {
    await rm(part, { force: true });
    throw error;
  } finally {
    await source.close();
  }
}

async function checkRoom(path: string, source: FileHandle): Promise<void> {
  const { bavail, bsize } = await statfs(path);
  const { size } = await source.stat();
  const missing = size + leftBytesMin - bavail * bsize;
  if (missing > 0) throw new Error(`${Math.ceil(missing / 1_048_576)} MiB are missing on its disk`);
}

/** Leaves out what is empty: a data file ends with room for what comes. */
async function copyData(source: FileHandle, target: FileHandle): Promise<void> {
  const { size } = await source.stat();
  await target.truncate(size);
  const piece = Buffer.alloc(pieceBytes);
  const empty = Buffer.alloc(pieceBytes);
  for (let at = 0; at < size;) {
    const { bytesRead } = await source.read(piece, 0, pieceBytes, at);
    if (bytesRead === 0) throw new Error(`'${dataFile}' became shorter while it was copied`);
    const bytes = piece.subarray(0, bytesRead);
    if (!bytes.equals(empty.subarray(0, bytesRead))) await writeWhole(target, bytes, at);
    at += bytesRead;
  }
}

async function writeWhole(target: FileHandle, bytes: Buffer, at: number): Promise<void> {
  for (let written = 0; written < bytes.length;) {
    const { bytesWritten } = await target.write(bytes, written, bytes.length - written, at + written);
    written += bytesWritten;
  }
}

function cannotMigrate(directory: string, from: number, error: unknown): DataDirectoryError {
  const reason = error instanceof Error ? error.message : String(error);
  return new DataDirectoryError(
    `The data directory '${directory}' has format ${from}. A copy of it must be made before it is migrated to format ` +
      `${format}, and that failed: ${reason}. Make room, or move the directory to a larger disk. Nothing was changed.`,
    { cause: error },
  );
}
