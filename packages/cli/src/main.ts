import { isUtf8 } from 'node:buffer';
import { existsSync, readFileSync } from 'node:fs';
import { CommanderError } from 'commander';
import { CommandError, exitCodes } from './exit-codes.ts';
import { complain } from './output.ts';
import { buildCommandLine } from './command-line.ts';

/** How long what still waits at the end may take to notice that it is over. */
const lastWordsMs = 500;

await run();

async function run(): Promise<void> {
  process.stdout.on('error', onOutputError);
  process.stderr.on('error', onOutputError);
  try {
    checkArguments();
    const program = buildCommandLine();
    const [, , command, ...words] = process.argv;
    // Not a command of the program, which would read the options among the words.
    if (command === '__complete')
      await (await import('./print-completion.ts')).printCompletion(program, words);
    else await program.parseAsync(completed(process.argv));
  } catch (error) {
    process.exitCode = exitCodeOf(error);
  }
  await Promise.all([written(process.stdout), written(process.stderr)]);
  // Whatever still waits, such as for a server that does not answer, is waited for no longer.
  setTimeout(() => process.exit(), lastWordsMs).unref();
}

/** What stands for another command: `topics` alone lists them. It is no default, so that `topics lst` suggests `list`. */
function completed(argv: readonly string[]): string[] {
  const [node = '', path = '', command, first, ...rest] = argv;
  if (command === '-V') return [node, path, '--version'];
  const isList = command === 'topics' && (first === undefined || /^-(?!h$|-help$)/.test(first));
  return isList
    ? [node, path, 'topics', 'list', ...(first === undefined ? [] : [first]), ...rest]
    : [...argv];
}

/** Node reads bytes that are not UTF-8 as U+FFFD. Linux tells what was really given. */
function checkArguments(): void {
  if (!existsSync('/proc/self/cmdline') || !process.argv.some((argument) => argument.includes('\ufffd')))
    return;
  if (isUtf8(readFileSync('/proc/self/cmdline'))) return;
  throw new CommandError(
    exitCodes.usage,
    'The arguments are not UTF-8. Set the locale of this terminal or script to UTF-8.',
  );
}

/** Resolves once a slow reader has taken all that was written. */
function written(output: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => void output.write('', () => resolve()));
}

/** The reader of our output may go before we do, as in `fanfare sub news | head -1`. */
function onOutputError(error: NodeJS.ErrnoException): never {
  if (error.code === 'EPIPE') process.exit(exitCodes.brokenPipe);
  complain(`Cannot write the output: ${error.message}`);
  process.exit(exitCodes.refused);
}

function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
  if (error instanceof CommandError) {
    if (error.message !== '') complain(error.message);
    return error.exitCode;
  }
  throw error;
}
