import { copyData } from './copy-data-file.ts';
import { DataDirectoryError } from '../directory/data-directory.ts';
import type { FreeSpace } from '../lmdb/free-space.ts';
import { changesFrom, format } from './format.ts';
import type { LmdbFile } from '../lmdb/lmdb-file.ts';

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
  readonly space: FreeSpace;
  readonly onProgress: (progress: MigrationProgress) => void;
}

/** More than all steps write. */
const changesBytesMax = 1_048_576;

/**
 * Migrates a data file from an earlier format to this version's, after making a copy of it. The migration is one
 * transaction: a crash at any moment leaves the earlier format, which the next start migrates, or this one.
 *
 * Nobody else MUST write to the file meanwhile.
 *
 * @throws DataDirectoryError when there is no space for the copy, or it cannot be made; nothing is changed then
 */
export async function migrate(from: number, parts: MigrationParts): Promise<void> {
  const { directory, file, space, onProgress } = parts;
  const copy = `${file.path}.format-${from}`;
  const tell = (step: MigrationProgress['step']): void => onProgress({ step, from, to: format, copy });
  tell('begun');
  try {
    await copyData(directory, copy);
    tell('copied');
    await space.reserve(changesBytesMax, false);
  } catch (error) {
    throw cannotMigrate(directory, from, error);
  }
  file.writeExclusively(() => changesFrom(file, from));
  tell('migrated');
}

function cannotMigrate(directory: string, from: number, error: unknown): DataDirectoryError {
  const reason = error instanceof Error ? error.message : String(error);
  return new DataDirectoryError(
    `The data directory '${directory}' has format ${from}. A copy of it must be made before it is migrated to format ` +
      `${format}, and that failed: ${reason}. Make room, or move the directory to a larger disk. Nothing was changed.`,
    { cause: error },
  );
}
