import type { Command } from 'commander';
import { examplesHelp } from '../help.ts';
import { interrupt } from '../interrupt.ts';
import { addTargetOptions, exitCodesHelp, targetOf, type TargetFlags } from './options.ts';

export function addTopics(program: Command): void {
  const topics = program
    .command('topics')
    .description('List the topics that there are, create them, and delete them.');
  addTargetOptions(
    topics
      .command('list')
      .description(
        'List topics with their subscribers, messages and last offset; this is what topics alone does.',
      )
      .option('--prefix <prefix>', 'only topics whose names begin so', '')
      .option(
        '--json',
        'print {"topic", "subscribers", "messages", "lastOffset", "published", "lastTime"} as a line of JSON for each',
        false,
      ),
  )
    .addHelpText(
      'after',
      examplesHelp(
        ['fanfare topics', 'All topics'],
        ['fanfare topics list --prefix orders/ --json', 'Some, for a script'],
      ),
    )
    .addHelpText('after', exitCodesHelp)
    .action(async ({ prefix, json, ...flags }: TargetFlags & { prefix: string; json: boolean }) => {
      process.once('SIGINT', interrupt);
      const { listTopics } = await import('../topics.ts');
      await listTopics(await targetOf(flags), prefix, json);
    });
  addTargetOptions(
    topics
      .command('create')
      .description('Make topics exist, though nobody has subscribed to them.')
      .argument('<topic...>'),
  )
    .addHelpText('after', exitCodesHelp)
    .action(async (names: string[], flags: TargetFlags) => {
      process.once('SIGINT', interrupt);
      const { createTopics } = await import('../topics.ts');
      await createTopics(await targetOf(flags), names);
    });
  addTargetOptions(
    topics
      .command('delete')
      .description('Delete topics with their messages.')
      .argument('<topic...>')
      .option('--yes', 'do not ask first; without a terminal nobody is asked', false),
  )
    .addHelpText('after', exitCodesHelp)
    .action(async (names: string[], { yes, ...flags }: TargetFlags & { yes: boolean }) => {
      process.once('SIGINT', interrupt);
      const { deleteTopics } = await import('../topics.ts');
      await deleteTopics(await targetOf(flags), names, yes);
    });
}
