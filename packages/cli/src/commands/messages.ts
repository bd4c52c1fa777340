import { isatty } from 'node:tty';
import type { Command } from 'commander';
import { commandName, shellWord } from '../command-name.ts';
import type { Conversation } from '../conversation.ts';
import { CommandError, exitCodes } from '../exit-codes.ts';
import type { Start } from '../from.ts';
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
      .description('Subscribe to topics and print what comes; without a topic, ask for them.')
      .argument('[topic...]', "topics, or patterns such as 'orders/*' and 'orders/**' (in quotes)")
      .addOption(fromOption())
      .option(
        '--json',
        'print {"topic", "message", "offset", "time", …} as a line of JSON for each message',
        false,
      )
      .option('--count <n>', 'end after so many messages', parseCount),
  );
  command
    .addHelpText(
      'after',
      examplesHelp(
        ['fanfare sub news', 'What is published from now on'],
        ["fanfare sub 'orders/*' --from last:10", 'The newest ten of each order, and what comes'],
        ['fanfare sub news --json --count 3 | jq .message', 'For a script'],
      ),
    )
    .addHelpText('after', exitCodesHelp)
    .action(sub);
}

interface SubFlags extends TargetFlags {
  readonly from?: Start;
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
    await withConversation((conversation) => runSubMenu(target, conversation));
  }
}

export function addPub(program: Command): void {
  const command = addTargetOptions(
    program
      .command('pub')
      .description('Publish a message; without a topic, ask for topics and messages.')
      .argument('[topic]')
      .argument('[message]', 'the text of the message; - publishes each line of the standard input')
      .option('--id <id>', 'a name for this publish, so that sending it again makes no second message')
      .option('--json', "the message is JSON, not text; print the server's answer as a line of JSON", false)
      .option('--create', 'make the topic exist first, though nobody has subscribed to it', false),
  );
  command
    .addHelpText(
      'after',
      examplesHelp(
        ['fanfare pub news hello', 'A text'],
        [`fanfare pub orders '{"item": "tea"}' --json --id order-1`, 'JSON, once however often it is run'],
        ['tail -f app.log | fanfare pub log - --create', 'Each line, as it comes'],
      ),
    )
    .addHelpText('after', exitCodesHelp)
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
    await withConversation((conversation) => runPubPrompt(target, conversation));
  } else if (message === undefined) {
    throw new CommandError(
      exitCodes.usage,
      `A message is needed: ${commandName()} pub ${shellWord(topic)} hello, or - for the standard input`,
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
      .description('Print the messages that a topic keeps, the oldest first, and end.')
      .argument('<topic>', "a topic, or a pattern such as 'orders/**' (in quotes)")
      .addOption(fromOption())
      .option('--limit <n>', 'end after so many messages', parseCount)
      .option(
        '--json',
        'print {"topic", "message", "offset", "time", …} as a line of JSON for each message',
        false,
      ),
  );
  command
    .addHelpText(
      'after',
      examplesHelp(
        ['fanfare history news', 'All that is kept'],
        ["fanfare history 'orders/**' --from 1h --json", 'The last hour, for a script'],
      ),
    )
    .addHelpText('after', exitCodesHelp)
    .action(history);
}

interface HistoryFlags extends TargetFlags {
  readonly from?: Start;
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

async function withConversation(use: (conversation: Conversation) => Promise<void>): Promise<void> {
  const conversation = new (await import('../conversation.ts')).Conversation(process.stdin, process.stdout, {
    isTerminal: isatty(0) && isatty(1),
    onInterrupt: interrupt,
  });
  try {
    await use(conversation);
  } finally {
    conversation.close();
  }
}
