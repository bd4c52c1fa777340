import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, join } from 'node:path';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { LogDamagedError } from '../../topic-log.ts';
import { DataDirectoryError } from '../directory/data-directory.ts';
import { dataFile } from '../directory/file-names.ts';
import { tableNames } from '../lmdb/lmdb-file.ts';
import { fingerprintOf } from './meta-pages.ts';
import { checkPages, type PageCheckOptions } from './page-check.ts';

/** What is looked at before a start, which is to be quick. */
export const startCheck: PageCheckOptions = { tables: tableNames, overflowsMax: 100_000 };
const fullCheck: PageCheckOptions = { tables: tableNames, overflowsMax: Infinity };

/** Where the process that looks through a file tells what it finds. */
export const resultPipe = 3;

/** Signals that end a process for what it did itself. */
const crashSignals: ReadonlySet<string> = new Set([
  'SIGSEGV',
  'SIGBUS',
  'SIGABRT',
  'SIGILL',
  'SIGFPE',
  'SIGTRAP',
]);

/** How many damages are told. */
const damagesMax = 100;

/**
 * Looks through the data file of a directory, unless it is what its last owner left. A process of its own does it, and
 * then has LMDB read what a start reads: some damage ends the process that reads it.
 *
 * @param left - what the last owner left, as {@link fingerprintOf} tells it
 * @throws LogDamagedError when the file is damaged
 * @throws DataDirectoryError when somebody has written to the file meanwhile
 */
export async function checkStore(directory: string, left: string | undefined): Promise<void> {
  const path = join(directory, dataFile);
  const before = fingerprintOf(path);
  if (left === before || statSync(path).size === 0) return;
  const damage = await findDamage(directory, path);
  if (damage === undefined) return;
  if (fingerprintOf(path) !== before) {
    throw new DataDirectoryError(
      `Another server was started on '${directory}' at the same time. Start again.`,
    );
  }
  throw new LogDamagedError(`The data file '${path}' is damaged: ${damage}`);
}

/**
 * Looks through all of the data file of a directory, in this process.
 *
 * @param onDamage - is told what is damaged, one sentence each, up to a hundred
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
  // A process that could not even look at the pages says nothing of them.
  if (damage === undefined) return firstDamage(path);
  if (damage !== '') return damage;
  if (isRead === undefined && signal !== null && crashSignals.has(signal))
    return `the database ended a process that was reading it (${signal}).`;
  return undefined;
}

function firstDamage(path: string): string | undefined {
  const [damage] = checkPages(path, startCheck);
  return damage;
}

interface Ended {
  readonly signal: NodeJS.Signals | null;
  /** What it wrote: what is damaged, or nothing; and another one once LMDB has read the file. */
  readonly lines: readonly string[];
}

/** Undefined when the process cannot be started. */
async function runProcess(directory: string): Promise<Ended | undefined> {
  // Where Fanfare is a part of one executable file, that is not Node, and would start the whole program again.
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
