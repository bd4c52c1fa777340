import { readFileSync } from 'node:fs';
import { isatty } from 'node:tty';
import { envsOf, flagOf, settingKinds, settingNames } from '@fanfare/server/settings';
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import type { Conversation } from './conversation.ts';
import { CommandError, exitCodes } from './exit-codes.ts';
import { showControls } from './show.ts';
import { parseTarget } from './target.ts';

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

const defaultUrl = `http://localhost:${settingKinds.port.default}`;

const urlOption = (): Option =>
  new Option('--url <url>', 'the server').default(defaultUrl).env('FANFARE_URL');

const exitCodesHelp = `
Exit codes: 0 done, 1 the server refused, 2 wrong usage, 3 no server to be reached,
130 ended by Ctrl-C, 141 the reader of the output went away, 143 ended by SIGTERM.`;

const serveExitCodesHelp = `
Exit codes: 0 ended by Ctrl-C or SIGTERM, 1 the address cannot be had, 2 wrong settings,
130 or 143 ended by a second Ctrl-C or SIGTERM.`;

/** How long what still waits at the end may take to notice that it is over. */
const lastWordsMs = 500;

const program = new Command('fanfare')
  .description('The pub/sub server for everyone who has Socket.IO clients.')
  .version(version)
  .showSuggestionAfterError()
  .exitOverride();

serveCommand();
subCommand();
pubCommand();
await run();

function serveCommand(): void {
  const serve = program.command('serve').description('Run the server.');
  for (const name of settingNames) {
    const { default: fallback, about } = settingKinds[name];
    const flag = typeof fallback === 'boolean' ? flagOf(name) : `${flagOf(name)} <${typeof fallback === 'object' ? 'json' : typeof fallback}>`;
    serve.option(flag, `${about} (default: ${String(fallback) || 'none'}, env: ${envsOf(name).join(', ')})`);
  }
  serve
    .addOption(new Option('--config <file>', 'A JSON file of settings.').env('FANFARE_CONFIG'))
    .addHelpText('after', serveExitCodesHelp)
    .action(async ({ config, ...flags }: { config?: string } & Record<string, unknown>) => {
      const { runServe } = await import('./serve.ts');
      await runServe(flags, config);
    });
}

function subCommand(): void {
  program
    .command('sub')
    .description('Subscribe to topics and print what comes; without a topic, ask for them.')
    .argument('[topic...]')
    .option('--json', 'print {"topic", "message", "time", "id"} as a line of JSON for each message', false)
    .option('--count <n>', 'end after so many messages', parseCount)
    .addOption(urlOption())
    .addHelpText('after', exitCodesHelp)
    .action(
      async (
        topics: string[],
        { url, json, count = Infinity }: { url: string; json: boolean; count?: number },
      ) => {
        process.once('SIGINT', interrupt);
        const target = parseTarget(url || defaultUrl);
        if (topics.length > 0) {
          const { runSub } = await import('./sub.ts');
          await runSub(target, { topics, json, count });
        } else {
          const { runSubMenu } = await import('./sub-menu.ts');
          await withConversation((conversation) => runSubMenu(target, conversation));
        }
      },
    );
}

function pubCommand(): void {
  program
    .command('pub')
    .description('Publish a message; without a topic, ask for topics and messages.')
    .argument('[topic]')
    .argument('[message]', 'the text of the message; - publishes each line of the standard input')
    .option('--id <id>', 'a name for this publish, so that sending it again makes no second message')
    .option('--json', "the message is JSON, not text; print the server's answer as a line of JSON", false)
    .addOption(urlOption())
    .addHelpText('after', exitCodesHelp)
    .action(
      async (
        topic: string | undefined,
        message: string | undefined,
        { url, id, json }: { url: string; id?: string; json: boolean },
      ) => {
        process.once('SIGINT', interrupt);
        const target = parseTarget(url || defaultUrl);
        if (topic === undefined) {
          const { runPubPrompt } = await import('./pub-prompt.ts');
          await withConversation((conversation) => runPubPrompt(target, conversation));
        } else if (message === undefined) {
          throw new CommandError(
            exitCodes.usage,
            `A message is needed: fanfare pub ${topic} hello, or - for the standard input`,
          );
        } else {
          const { runPub } = await import('./pub.ts');
          await runPub(target, { topic, message, id, json });
        }
      },
    );
}

async function withConversation(use: (conversation: Conversation) => Promise<void>): Promise<void> {
  const conversation = new (await import('./conversation.ts')).Conversation(process.stdin, process.stdout, {
    isTerminal: isatty(0) && isatty(1),
    onInterrupt: interrupt,
  });
  try {
    await use(conversation);
  } finally {
    conversation.close();
  }
}

/** The signal's own way of ending a program would tell a shell 130, but not a program that started this one. */
function interrupt(): never {
  if (isatty(1)) process.stdout.write('\n');
  process.exit(exitCodes.interrupted);
}

function parseCount(text: string): number {
  const count = Number(text);
  if (!Number.isSafeInteger(count) || count < 1)
    throw new InvalidArgumentError('It must be a whole number over 0.');
  return count;
}

async function run(): Promise<void> {
  process.stdout.on('error', onOutputError);
  process.stderr.on('error', onOutputError);
  try {
    await program.parseAsync();
  } catch (error) {
    process.exitCode = exitCodeOf(error);
  }
  await Promise.all([written(process.stdout), written(process.stderr)]);
  // Whatever still waits, such as for a server that does not answer, is waited for no longer.
  setTimeout(() => process.exit(), lastWordsMs).unref();
}

/** Resolves once a slow reader has taken all that was written. */
function written(output: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => void output.write('', () => resolve()));
}

/** The reader of our output may go before we do, as in `fanfare sub news | head -1`. */
function onOutputError(error: NodeJS.ErrnoException): never {
  if (error.code === 'EPIPE') process.exit(exitCodes.brokenPipe);
  console.error(`The output cannot be written: ${error.message}`);
  process.exit(exitCodes.refused);
}

function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
  if (error instanceof CommandError) {
    console.error(showControls(error.message));
    return error.exitCode;
  }
  throw error;
}
