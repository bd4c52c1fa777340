import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:os';
import { isatty } from 'node:tty';
import { fileURLToPath } from 'node:url';
import { CommandError, exitCodes } from './exit-codes.ts';

export interface StoreTool {
  readonly tool: 'verify' | 'export' | 'import' | 'backup' | 'repair-times';
  readonly directory: string;
  /** The topic or pattern to export. Undefined exports everything. */
  readonly topic?: string | undefined;
  /** The directory of a new backup. */
  readonly target?: string;
}

const programPath = fileURLToPath(new URL('../bin/fanfare.js', import.meta.url));

/** This environment variable is set in the child process, which runs the tool itself. */
const innerVariable = 'FANFARE_STORE_TOOL';

const crashSignals: ReadonlySet<string> = new Set([
  'SIGSEGV',
  'SIGBUS',
  'SIGABRT',
  'SIGILL',
  'SIGFPE',
  'SIGTRAP',
]);

/**
 * Runs a tool on a data directory. A tool that reads data runs in a child process: LMDB trusts the pages of
 * its file, and some damage crashes the process that reads them.
 *
 * @throws CommandError if the tool fails
 */
export async function runTool({ tool, directory, topic, target = '' }: StoreTool): Promise<void> {
  if (tool === 'import') return (await import('./store.ts')).runImport(directory);
  if (process.env[innerVariable] === undefined) return runInChildProcess(directory);
  const { runBackup, runExport, runRepairTimes, runVerify } = await import('./store.ts');
  if (tool === 'backup') return runBackup(directory, target);
  if (tool === 'repair-times') return runRepairTimes(directory);
  return tool === 'verify' ? runVerify(directory) : runExport(directory, topic);
}

/** Runs the same command again, in a child process. */
async function runInChildProcess(directory: string): Promise<void> {
  const child = spawn(process.execPath, [...process.execArgv, programPath, ...process.argv.slice(2)], {
    stdio: 'inherit',
    env: { ...process.env, [innerVariable]: '1' },
  });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal));
  const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
  if (code === 0) return;
  if (signal === null || !crashSignals.has(signal)) {
    const ending = signal === null ? undefined : 128 + constants.signals[signal];
    throw new CommandError(code ?? ending ?? exitCodes.refused, '');
  }
  if (isatty(2)) process.stderr.write('\n');
  throw new CommandError(
    exitCodes.refused,
    `The data file in '${directory}' is so damaged that reading it crashed the program (${signal}). Restore a backup.`,
  );
}
