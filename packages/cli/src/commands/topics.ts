import type { Command } from 'commander';
import { examplesHelp } from '../help.ts';
import { interrupt } from '../interrupt.ts';
import { addTargetOptions, exitCodesHelp, targetOf, type TargetFlags } from './options.ts';

export function addTopics(program: Command): void {
  const topics = program.command('topics').description('List, create and delete topics.');
  addTargetOptions(
    topics
      .command('list')
      .description('List topics with their subscribers, messages and last offset. This is the default.')
      .option('--prefix <prefix>', 'list only topics whose names start with the prefix', '')
      .option(
        '--json',
        'print each topic as a line of JSON: {"topic", "subscribers", "messages", "lastOffset", "published", "lastTime"}',
        false,
      ),
  )
    .addHelpText(
      'after',
      examplesHelp(
        ['fanfare topics', 'List all topics'],
        ['fanfare topics list --prefix orders/ --json', 'List some topics in a script'],
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
      .description('Create topics before anyone subscribes to them.')
      .argument('<topic...>', 'names of the topics'),
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
      .description('Delete topics and their messages.')
      .argument('<topic...>', 'names of the topics')
      .option('--yes', 'do not ask for confirmation (without a terminal, the command never asks)', false),
  )
    .addHelpText('after', exitCodesHelp)
    .action(async (names: string[], { yes, ...flags }: TargetFlags & { yes: boolean }) => {
      process.once('SIGINT', interrupt);
      const { deleteTopics } = await import('../topics.ts');
      await deleteTopics(await targetOf(flags), names, yes);
    });
}
