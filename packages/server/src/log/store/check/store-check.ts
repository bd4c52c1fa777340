import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, join } from 'node:path';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { LogDamagedError } from '../../topic-log.ts';
import { DirectoryInUseError } from '../directory/data-directory.ts';
import { dataFile } from '../directory/file-names.ts';
import { tableNames } from '../lmdb/lmdb-file.ts';
import { fingerprintOf } from './meta-pages.ts';
import { checkPages, type PageCheckOptions } from './page-check.ts';

/** The check at start, which must be fast. */
export const startCheck: PageCheckOptions = { tables: tableNames, overflowsMax: 100_000 };
const fullCheck: PageCheckOptions = { tables: tableNames, overflowsMax: Infinity };

/** The pipe on which the checking process reports. */
export const resultPipe = 3;

/** Signals of a process that crashed. */
const crashSignals: ReadonlySet<string> = new Set([
  'SIGSEGV',
  'SIGBUS',
  'SIGABRT',
  'SIGILL',
  'SIGFPE',
  'SIGTRAP',
]);

/** The limit of reported damages. */
const damagesMax = 100;

/**
 * Checks the data file of a directory, unless it is still as its last owner left it. A child process
 * checks the file, and then lets LMDB read all that a start reads. Some damage crashes the process that reads
 * it.
 *
 * @param left - the fingerprint that the last owner left ({@link fingerprintOf})
 * @throws LogDamagedError if the file is damaged
 * @throws DirectoryInUseError if another process wrote to the file meanwhile
 */
export async function checkStore(directory: string, left: string | undefined): Promise<void> {
  const path = join(directory, dataFile);
  const before = fingerprintOf(path);
  if (left === before || statSync(path).size === 0) return;
  const damage = await findDamage(directory, path);
  if (damage === undefined) return;
  if (fingerprintOf(path) !== before) {
    throw new DirectoryInUseError(
      `Another server was started on '${directory}' at the same time.`,
      'Start this one again.',
    );
  }
  throw new LogDamagedError(`The data file '${path}' is damaged: ${damage}`);
}

/**
 * Checks the whole data file of a directory in this process.
 *
 * @param onDamage - called with a sentence for each damage, up to a hundred
 */
export function reportDamage(directory: string, onDamage: (sentence: string) => void): void {
  let count = 0;
  for (const sentence of checkPages(join(directory, dataFile), fullCheck)) {
    onDamage(sentence);
    if (++count >= damagesMax) return;
  }
}

async function findDamage(directory: string, path: string): Promise<string | undefined> {
  const { signal, lines } = (await runProcess(directory)) ?? { signal: null, lines: [] };
  const [damage, isRead] = lines;
  // A process that could not even check the pages proves nothing.
  if (damage === undefined) return firstDamage(path);
  if (damage !== '') return damage;
  if (isRead === undefined && signal !== null && crashSignals.has(signal))
    return `the database crashed a process that was reading it (${signal}).`;
  return undefined;
}

function firstDamage(path: string): string | undefined {
  const [damage] = checkPages(path, startCheck);
  return damage;
}

interface Ended {
  readonly signal: NodeJS.Signals | null;
  /** Its output: a line with the damage, or an empty line; and a second one after LMDB has read the file. */
  readonly lines: readonly string[];
}

/** Undefined if the process cannot be started. */
async function runProcess(directory: string): Promise<Ended | undefined> {
  // In a single executable, this is not Node: it would start the whole program again.
  if (!/^node/i.test(basename(process.execPath))) return undefined;
  try {
    const program = createRequire(import.meta.url).resolve('#check-process');
    const stdio = Array.from({ length: resultPipe }, () => 'ignore' as const);
    const child = spawn(process.execPath, [program, directory], { stdio: [...stdio, 'pipe'] });
    const answer = child.stdio[resultPipe] as Readable;
    const [output] = await Promise.all([text(answer), once(child, 'close')]);
    return { signal: child.signalCode, lines: output.split('\n').slice(0, -1) };
  } catch {
    return undefined;
  }
}
