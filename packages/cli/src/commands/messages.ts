import { isatty } from 'node:tty';
import type { Command } from 'commander';
import { commandName, shellWord } from '../command-name.ts';
import type { InteractivePrompt } from '../interactive-prompt.ts';
import { CommandError, exitCodes } from '../exit-codes.ts';
import type { StartPosition } from '../start-position.ts';
import { examplesHelp } from '../help.ts';
import { interrupt } from '../interrupt.ts';
import {
  addTargetOptions,
  exitCodesHelp,
  fromOption,
  parseCount,
  targetOf,
  type TargetFlags,
} from './options.ts';

export function addSub(program: Command): void {
  const command = addTargetOptions(
    program
      .command('sub')
      .description(
        'Subscribe to topics and print their messages. Without a topic, start an interactive menu.',
      )
      .argument('[topic...]', "topics, or patterns such as 'orders/*' and 'orders/**' (in quotes)")
      .addOption(fromOption())
      .option(
        '--json',
        'print each message as a line of JSON: {"topic", "message", "offset", "time", …}',
        false,
      )
      .option('--count <n>', 'stop after n messages', parseCount),
  );
  command
    .addHelpText(
      'after',
      examplesHelp(
        ['fanfare sub news', 'Print the messages that are published from now on'],
        ["fanfare sub 'orders/*' --from last:10", 'Print the newest ten of each order, then new messages'],
        ['fanfare sub news --json --count 3 | jq .message', 'Read three messages in a script'],
      ),
    )
    .addHelpText('after', exitCodesHelp)
    .action(sub);
}

interface SubFlags extends TargetFlags {
  readonly from?: StartPosition;
  readonly json: boolean;
  readonly count?: number;
}

async function sub(topics: string[], { from, json, count = Infinity, ...flags }: SubFlags): Promise<void> {
  process.once('SIGINT', interrupt);
  const target = await targetOf(flags);
  if (topics.length > 0) {
    const { runSub } = await import('../sub.ts');
    await runSub(target, { topics, from: from?.from, json, count });
  } else {
    const { runSubMenu } = await import('../sub-menu.ts');
    await withPrompt((prompt) => runSubMenu(target, prompt));
  }
}

export function addPub(program: Command): void {
  const command = addTargetOptions(
    program
      .command('pub')
      .description('Publish a message. Without a topic, ask for topics and messages.')
      .argument('[topic]', 'name of the topic')
      .argument('[message]', 'text of the message; - publishes each line of the standard input')
      .option('--id <id>', 'idempotency key: publishing again with the same id creates no second message')
      .option('--json', "the message is JSON, not text; print the server's response as a line of JSON", false)
      .option('--create', 'create the topic first, if it does not exist', false),
  );
  command
    .addHelpText(
      'after',
      examplesHelp(
        ['fanfare pub news hello', 'Publish a text'],
        [
          `fanfare pub orders '{"item": "tea"}' --json --id order-1`,
          'Publish JSON; running the command again publishes nothing',
        ],
        ['tail -f app.log | fanfare pub log - --create', 'Publish each line of a file as it is written'],
      ),
    )
    .addHelpText('after', `${exitCodesHelp}\n6 the server does not know whether it published the message.`)
    .action(pub);
}

interface PubFlags extends TargetFlags {
  readonly id?: string;
  readonly json: boolean;
  readonly create: boolean;
}

async function pub(
  topic: string | undefined,
  message: string | undefined,
  { id, json, create, ...flags }: PubFlags,
): Promise<void> {
  process.once('SIGINT', interrupt);
  const target = await targetOf(flags);
  if (topic === undefined) {
    const { runPubPrompt } = await import('../pub-prompt.ts');
    await withPrompt((prompt) => runPubPrompt(target, prompt));
  } else if (message === undefined) {
    throw new CommandError(
      exitCodes.usage,
      `The message is missing: ${commandName()} pub ${shellWord(topic)} hello, or - to publish the lines of the standard input`,
    );
  } else {
    const { runPub } = await import('../pub.ts');
    await runPub(target, { topic, message, id, json, create });
  }
}

export function addHistory(program: Command): void {
  const command = addTargetOptions(
    program
      .command('history')
      .description('Print the messages that a topic keeps, oldest first.')
      .argument('<topic>', "topic, or a pattern such as 'orders/**' (in quotes)")
      .addOption(fromOption())
      .option('--limit <n>', 'stop after n messages', parseCount)
      .option(
        '--json',
        'print each message as a line of JSON: {"topic", "message", "offset", "time", …}',
        false,
      ),
  );
  command
    .addHelpText(
      'after',
      examplesHelp(
        ['fanfare history news', 'Print all messages that are kept'],
        ["fanfare history 'orders/**' --from 1h --json", 'Read the messages of the last hour in a script'],
      ),
    )
    .addHelpText('after', exitCodesHelp)
    .action(history);
}

interface HistoryFlags extends TargetFlags {
  readonly from?: StartPosition;
  readonly limit?: number;
  readonly json: boolean;
}

async function history(
  topic: string,
  { from: start, limit = Infinity, json, ...flags }: HistoryFlags,
): Promise<void> {
  process.once('SIGINT', interrupt);
  const { runHistory } = await import('../history.ts');
  await runHistory(await targetOf(flags), { topic, start, limit, json });
}

async function withPrompt(use: (prompt: InteractivePrompt) => Promise<void>): Promise<void> {
  const prompt = new (await import('../interactive-prompt.ts')).InteractivePrompt(
    process.stdin,
    process.stdout,
    { isTerminal: isatty(0) && isatty(1), onInterrupt: interrupt },
  );
  try {
    await use(prompt);
  } finally {
    prompt.close();
  }
}
