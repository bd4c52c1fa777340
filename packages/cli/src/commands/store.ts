import { resolve } from 'node:path';
import { envsOf, settingKinds } from '@fanfare/server/settings';
import { Argument, type Command } from 'commander';
import { examplesHelp } from '../help.ts';

const storeExitCodesHelp = `
Exit codes: 0 done, 1 something is damaged, or the directory cannot be used,
2 wrong usage, 130 ended by Ctrl-C, 141 the reader of the output went away,
143 ended by SIGTERM.`;

export function addStore(program: Command): void {
  const store = program
    .command('store')
    .description('Check, repair, export and import a data directory that no server is using.');
  store
    .command('verify')
    .description('Read everything in a data directory, and say what is damaged, or stamped by a wrong clock.')
    .addArgument(directoryArgument())
    .addHelpText('after', storeExitCodesHelp)
    .action(async (directory: string | undefined) => {
      const { runTool } = await import('../store-process.ts');
      await runTool({ tool: 'verify', directory: orDefault(directory) });
    });
  store
    .command('repair-times')
    .description(
      'Correct the times of messages that are stamped in the future, because the clock was wrong when they came.',
    )
    .addArgument(directoryArgument())
    .addHelpText(
      'after',
      `\nThe clock has to be right now. A copy of the data is made first.\n${storeExitCodesHelp}`,
    )
    .action(async (directory: string | undefined) => {
      const { runTool } = await import('../store-process.ts');
      await runTool({ tool: 'repair-times', directory: orDefault(directory) });
    });
  store
    .command('export')
    .description(
      'Write the topics and messages of a data directory to the standard output, as lines of JSON.',
    )
    .addArgument(directoryArgument())
    .option('--topic <topic>', "only a topic, or those of a pattern such as 'orders/**' (in quotes)")
    .addHelpText(
      'after',
      examplesHelp(["fanfare store export --topic 'orders/**' > orders.ndjson", 'Some topics, into a file']),
    )
    .addHelpText('after', storeExitCodesHelp)
    .action(async (directory: string | undefined, { topic }: { topic?: string }) => {
      const { runTool } = await import('../store-process.ts');
      await runTool({ tool: 'export', directory: orDefault(directory), topic });
    });
  store
    .command('import')
    .description('Make a data directory of what an export has written, from the standard input.')
    .argument('<directory>', 'one that is empty or new')
    .addHelpText(
      'after',
      examplesHelp(['fanfare store export old | fanfare store import new', 'A copy of what can be read']),
    )
    .addHelpText('after', storeExitCodesHelp)
    .action(async (directory: string) => {
      const { runTool } = await import('../store-process.ts');
      await runTool({ tool: 'import', directory: resolve(directory) });
    });
}

function directoryArgument(): Argument {
  const { default: fallback } = settingKinds.data;
  return new Argument(
    '[directory]',
    `the server's --data (default: ${envsOf('data').join(', ')}, else ${fallback})`,
  );
}

function orDefault(directory: string | undefined): string {
  const fromEnv = envsOf('data').map((name) => process.env[name]);
  return resolve(
    directory ?? fromEnv.find((value) => value !== undefined && value !== '') ?? settingKinds.data.default,
  );
}
