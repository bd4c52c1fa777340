import { copyData } from './copy-data-file.ts';
import { DataDirectoryError } from '../directory/data-directory.ts';
import type { FreeSpace } from '../lmdb/free-space.ts';
import { changesFrom, format } from './format.ts';
import type { LmdbFile } from '../lmdb/lmdb-file.ts';

/** The progress of a migration: its copy is begun, its copy is on the disk, the data is migrated. */
export interface MigrationProgress {
  readonly step: 'begun' | 'copied' | 'migrated';
  readonly from: number;
  readonly to: number;
  /** The path of the copy of the old data file. */
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
 * Migrates a data file to this version's format, after copying it. The migration is one transaction. After a
 * crash at any moment, the file has the old format, which the next start migrates, or the new one.
 *
 * Nothing else MUST write to the file meanwhile.
 *
 * @throws DataDirectoryError if there is no space for the copy, or it fails. Nothing is changed then
 */
export async function migrate(from: number, parts: MigrationParts): Promise<void> {
  const { directory, file, space, onProgress } = parts;
  const copy = `${file.path}.format-${from}`;
  const report = (step: MigrationProgress['step']): void => onProgress({ step, from, to: format, copy });
  report('begun');
  try {
    await copyData(directory, copy);
    report('copied');
    await space.reserve(changesBytesMax, false);
  } catch (error) {
    throw cannotMigrate(directory, from, error);
  }
  file.writeExclusively(() => changesFrom(file, from));
  report('migrated');
}

function cannotMigrate(directory: string, from: number, error: unknown): DataDirectoryError {
  const reason = error instanceof Error ? error.message : String(error);
  return new DataDirectoryError(
    `The data directory '${directory}' has format ${from}. Before its migration to format ${format} a copy is made, ` +
      `and that failed: ${reason}. Free some space, or move the directory to a larger disk. Nothing was changed.`,
    { cause: error },
  );
}
