import { isUtf8 } from 'node:buffer';
import { existsSync, readFileSync } from 'node:fs';
import { CommanderError } from 'commander';
import { CommandError, exitCodes } from './exit-codes.ts';
import { complain } from './output.ts';
import { buildCommandLine } from './command-line.ts';

/** How long pending work can delay the end of the program. */
const lastWordsMs = 500;

await run();

async function run(): Promise<void> {
  process.stdout.on('error', onOutputError);
  process.stderr.on('error', onOutputError);
  try {
    checkArguments();
    const program = buildCommandLine();
    const [, , command, ...words] = process.argv;
    // Not a command of Commander, which would parse the options among the words.
    if (command === '__complete')
      await (await import('./print-completion.ts')).printCompletion(program, words);
    else await program.parseAsync(completed(process.argv));
  } catch (error) {
    process.exitCode = exitCodeOf(error);
  }
  await Promise.all([written(process.stdout), written(process.stderr)]);
  // Pending work, such as a request to a server that does not respond, must not keep the program running.
  setTimeout(() => process.exit(), lastWordsMs).unref();
}

/**
 * Expands abbreviations: `topics` means `topics list`. It is not a default command, so that `topics lst`
 * suggests `list`.
 */
function completed(argv: readonly string[]): string[] {
  const [node = '', path = '', command, first, ...rest] = argv;
  if (command === '-V') return [node, path, '--version'];
  const isList = command === 'topics' && (first === undefined || /^-(?!h$|-help$)/.test(first));
  return isList
    ? [node, path, 'topics', 'list', ...(first === undefined ? [] : [first]), ...rest]
    : [...argv];
}

/**
 * Refuses arguments that are not UTF-8. Node replaces their bytes by U+FFFD, but Linux has the original ones.
 */
function checkArguments(): void {
  if (!existsSync('/proc/self/cmdline') || !process.argv.some((argument) => argument.includes('\ufffd')))
    return;
  if (isUtf8(readFileSync('/proc/self/cmdline'))) return;
  throw new CommandError(
    exitCodes.usage,
    'The arguments are not UTF-8. Set the locale of this terminal or script to UTF-8.',
  );
}

/** Resolves when a slow reader has read all output. */
function written(output: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => void output.write('', () => resolve()));
}

/** The reader of the output may end before this program, as in `fanfare sub news | head -1`. */
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
