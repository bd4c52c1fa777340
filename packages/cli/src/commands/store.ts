import { resolve } from 'node:path';
import { envsOf, settingKinds } from '@fanfare/server/settings';
import { Argument, type Command } from 'commander';
import { examplesHelp } from '../help.ts';

const storeExitCodesHelp = `
Exit codes: 0 done, 1 data is damaged, or the directory cannot be used, 2 wrong
usage, 130 stopped by Ctrl-C, 141 the reader of the output closed it, 143
stopped by SIGTERM.`;

export function addStore(program: Command): void {
  const store = program
    .command('store')
    .description('Check, export and import a data directory, and correct its times. Stop its server first.');
  store
    .command('verify')
    .description('Read a whole data directory, and report damage and wrong times.')
    .addArgument(directoryArgument())
    .addHelpText('after', storeExitCodesHelp)
    .action(async (directory: string | undefined) => {
      const { runTool } = await import('../store-process.ts');
      await runTool({ tool: 'verify', directory: orDefault(directory) });
    });
  store
    .command('repair-times')
    .description('Correct message times that are in the future because the clock was wrong.')
    .addArgument(directoryArgument())
    .addHelpText(
      'after',
      `\nFirst check that the clock of this machine is correct. The command first makes\na copy of the data.\n${storeExitCodesHelp}`,
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
    .option(
      '--topic <topic>',
      "export only this topic, or the topics of a pattern such as 'orders/**' (in quotes)",
    )
    .addHelpText(
      'after',
      examplesHelp([
        "fanfare store export --topic 'orders/**' > orders.ndjson",
        'Export some topics to a file',
      ]),
    )
    .addHelpText('after', storeExitCodesHelp)
    .action(async (directory: string | undefined, { topic }: { topic?: string }) => {
      const { runTool } = await import('../store-process.ts');
      await runTool({ tool: 'export', directory: orDefault(directory), topic });
    });
  store
    .command('import')
    .description('Create a data directory from an export on the standard input.')
    .argument('<directory>', 'new or empty directory')
    .addHelpText(
      'after',
      examplesHelp(['fanfare store export old | fanfare store import new', 'Copy the data that can be read']),
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
    `data directory of the server (default: ${envsOf('data').join(', ')}, or ${fallback})`,
  );
}

function orDefault(directory: string | undefined): string {
  const fromEnv = envsOf('data').map((name) => process.env[name]);
  return resolve(
    directory ?? fromEnv.find((value) => value !== undefined && value !== '') ?? settingKinds.data.default,
  );
}
