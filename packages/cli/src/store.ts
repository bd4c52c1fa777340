import { once } from 'node:events';
import { fstatSync } from 'node:fs';
import { isatty } from 'node:tty';
import { FanfareError, parseInterest } from '@fanfare/protocol';
import {
  backupStore,
  DataDirectoryError,
  exportFromRedis,
  exportStore,
  ImportError,
  importStore,
  importToRedis,
  LogDamagedError,
  openStore,
  repairTimes,
  LogFullError,
  LogUnwritableError,
  verifyStore,
  type ImportOptions,
  type Store,
  type StoreCounts,
} from '@fanfare/server/store';
import { settingKinds } from '@fanfare/server/settings';
import { CommandError, exitCodes } from './exit-codes.ts';
import { readLines } from './read-lines.ts';
import type { RedisPlace } from './redis-place.ts';
import { print, say } from './output.ts';
import { ProgressBar, sizeOf } from './progress-bar.ts';

/**
 * `fanfare store verify`: reads the whole data directory and prints all damage.
 *
 * @throws CommandError if anything is damaged, or the directory cannot be read
 */
export async function runVerify(directory: string): Promise<void> {
  const bar = new ProgressBar('verifying', process.stderr, isatty(2));
  const { counts, damages } = await withStore(directory, bar, (store, onDamage) =>
    verifyStore(store, {
      now: Date.now,
      onDamage,
      onNotice: (sentence) => bar.say(sentence),
      onProgress: (progress) => bar.update(progress),
    }),
  ).finally(() => bar.end());
  print(summaryOf(counts));
  if (damages > 0) throw damaged(directory, damages);
}

/**
 * `fanfare store backup`: copies a data directory, also one that a server uses.
 *
 * @throws CommandError if anything is damaged, the directory cannot be read, or the backup not written
 */
export async function runBackup(directory: string, target: string): Promise<void> {
  const { bytes, head } = await backupStore(directory, target, { onWait: say }).catch(refuse);
  say(`Backup of '${directory}' written to '${target}' (${sizeOf(bytes)}, up to message ${head} of the log)`);
}

/**
 * `fanfare store export`: prints the readable data as NDJSON.
 *
 * @param topics - a topic or a pattern to export; undefined exports everything
 * @throws CommandError if anything is damaged, or the directory cannot be read
 */
export async function runExport(directory: string, topics: string | undefined): Promise<void> {
  const interest = readInterest(topics);
  const bar = new ProgressBar('exporting', process.stderr, isatty(2) && !isatty(1));
  const { counts, damages } = await withStore(directory, bar, (store, onDamage) =>
    exportStore(store, {
      ...(interest !== undefined && { interest }),
      onDamage,
      onProgress: (progress) => bar.update(progress),
      write: writeLines,
    }),
  ).finally(() => bar.end());
  say(`Exported ${summaryOf(counts)}`);
  if (damages > 0) throw damaged(directory, damages);
}

/**
 * `fanfare store import`: makes a new data directory from an export on the standard input.
 *
 * @throws CommandError if the input is not an export, or the directory is not empty
 */
export async function runImport(directory: string): Promise<void> {
  await importInput((options) => importStore(directory, options), `'${directory}'`);
}

/**
 * `fanfare store export --redis`: prints a log on Redis as NDJSON.
 *
 * @param topics - a topic or a pattern to export; undefined exports everything
 * @throws CommandError if Redis has no log under the prefix, or cannot be used
 */
export async function runRedisExport({ place }: RedisPlace, topics: string | undefined): Promise<void> {
  const interest = readInterest(topics);
  const bar = new ProgressBar('exporting', process.stderr, isatty(2) && !isatty(1));
  const counts = await exportFromRedis(place, {
    ...(interest !== undefined && { interest }),
    onProgress: (progress) => bar.update(progress),
    write: writeLines,
  })
    .catch(refuse)
    .finally(() => bar.end());
  say(`Exported ${summaryOf(counts)}`);
}

/**
 * `fanfare store import --redis`: makes a new log on Redis from an export on the standard input.
 *
 * @throws CommandError if the input is not an export, there is a log already, or Redis cannot be used
 */
export async function runRedisImport({ place, name }: RedisPlace): Promise<void> {
  const { default: idWindowMs } = settingKinds.idWindowMs;
  await importInput((options) => importToRedis(place, { ...options, idWindowMs }), name);
}

/** @param into - names the new log */
async function importInput(
  run: (options: ImportOptions) => Promise<StoreCounts>,
  into: string,
): Promise<void> {
  const bar = new ProgressBar('importing', process.stderr, isatty(2));
  const size = sizeOfInput();
  // A signal ends the input with an error, so that the import removes the files that it has made. The signal
  // can come before anything reads the input. Without a listener, the error would then be uncaught.
  process.stdin.on('error', () => {});
  process.once('SIGINT', () => process.stdin.destroy(new CommandError(exitCodes.interrupted, '')));
  process.once('SIGTERM', () => process.stdin.destroy(new CommandError(exitCodes.terminated, '')));
  let bytesRead = 0;
  const lines = readLines(process.stdin, (bytes) => (bytesRead += bytes));
  const counts = await run({
    lines,
    now: Date.now,
    onProgress: (progress) =>
      bar.update(size === undefined ? progress : { ...progress, share: bytesRead / size }),
  })
    .catch(refuse)
    .finally(() => bar.end());
  say(`Imported ${summaryOf(counts)} into ${into}`);
}

/**
 * `fanfare store repair-times`: corrects times that are in the future.
 *
 * @throws CommandError if the directory cannot be used, or the disk has no space for a copy of the data
 */
export async function runRepairTimes(directory: string): Promise<void> {
  const now = Date.now();
  const shown = new Date(now).toISOString();
  const repaired = await repairTimes(directory, now).catch(refuse);
  say(
    repaired
      ? `Corrected the times of ${counted(repaired.messages, 'message')} from the future. The clock shows ${shown}. ` +
          `The original data is in '${repaired.copy}'.`
      : `No message has a time in the future: nothing was changed. The clock shows ${shown}.`,
  );
}

/**
 * Opens the store of a directory and passes it to `use`. Counts the damage of the file and of the stored
 * data.
 */
async function withStore(
  directory: string,
  bar: ProgressBar,
  use: (store: Store, onDamage: (sentence: string) => void) => Promise<StoreCounts>,
): Promise<{ readonly counts: StoreCounts; readonly damages: number }> {
  let damages = 0;
  const onDamage = (sentence: string): void => {
    damages++;
    bar.say(sentence);
  };
  const onWait = (sentence: string): void => bar.say(sentence);
  const store = await openStore(directory, { onDamage, onWait }).catch(refuse);
  try {
    return { counts: await use(store, onDamage).catch(refuse), damages };
  } finally {
    await store.close();
  }
}

/** The size of the input in bytes. Known only if the input is a file. */
function sizeOfInput(): number | undefined {
  const stats = fstatSync(0);
  return stats.isFile() && stats.size > 0 ? stats.size : undefined;
}

async function writeLines(lines: string): Promise<void> {
  if (!print(...lines.split('\n').slice(0, -1))) await once(process.stdout, 'drain');
}

function readInterest(topics: string | undefined): ReturnType<typeof parseInterest> | undefined {
  if (topics === undefined) return undefined;
  try {
    return parseInterest(topics);
  } catch (error) {
    if (error instanceof FanfareError) throw new CommandError(exitCodes.usage, error.message);
    throw error;
  }
}

function summaryOf({ topics, messages, bytes }: StoreCounts): string {
  return `${counted(messages, 'message')} in ${counted(topics, 'topic')} (${sizeOf(bytes)})`;
}

function damaged(directory: string, count: number): CommandError {
  return new CommandError(
    exitCodes.refused,
    `Found ${counted(count, 'damaged place')} in '${directory}'. Export the readable data and import it into a new directory, or restore a backup.`,
  );
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}

/** Turns an expected error into a CommandError. An unexpected error is a bug, and is thrown as it is. */
function refuse(error: unknown): never {
  if (error instanceof LogDamagedError)
    throw new CommandError(exitCodes.refused, `${error.message} Restore a backup.`);
  const isExpected =
    error instanceof DataDirectoryError ||
    error instanceof ImportError ||
    error instanceof LogFullError ||
    error instanceof LogUnwritableError;
  throw isExpected ? new CommandError(exitCodes.refused, error.message) : error;
}
