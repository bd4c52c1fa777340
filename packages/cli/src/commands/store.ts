import { resolve } from 'node:path';
import { envsOf, secretFileEnvOf, settingKinds } from '@fanfare/server/settings';
import { Argument, Option, type Command } from 'commander';
import { CommandError, exitCodes } from '../exit-codes.ts';
import { examplesHelp } from '../help.ts';
import type { RedisPlace } from '../redis-place.ts';

const storeExitCodesHelp = `
Exit codes: 0 done, 1 data is damaged, or the directory or Redis cannot be used,
2 wrong usage, 130 stopped by Ctrl-C, 141 the reader of the output closed it,
143 stopped by SIGTERM.`;

export function addStore(program: Command): void {
  const store = program
    .command('store')
    .description('Back up, check, export and import stored messages, and correct their times.');
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
    .command('backup')
    .description('Copy a data directory, also while a server uses it.')
    .argument('<directory>', 'data directory of the server')
    .argument('<target>', 'new directory for the backup')
    .addHelpText(
      'after',
      examplesHelp([
        'fanfare store backup /var/lib/fanfare /backup/fanfare-monday',
        'Back up a running server; docs/backup.md says how to restore',
      ]),
    )
    .addHelpText('after', storeExitCodesHelp)
    .action(async (directory: string, target: string) => {
      const { runTool } = await import('../store-process.ts');
      await runTool({ tool: 'backup', directory: resolve(directory), target: resolve(target) });
    });
  store
    .command('repair-times')
    .description(
      'Correct message times that are in the future because the clock was wrong. First stop the server.',
    )
    .addArgument(directoryArgument())
    .addHelpText(
      'after',
      `\nFirst check that the clock of this machine is correct. The command first makes\na copy of the data.\n${storeExitCodesHelp}`,
    )
    .action(async (directory: string | undefined) => {
      const { runTool } = await import('../store-process.ts');
      await runTool({ tool: 'repair-times', directory: orDefault(directory) });
    });
  addExport(store);
  addImport(store);
}

interface RedisFlags {
  readonly redis?: string;
  readonly redisPrefix?: string;
}

function addExport(store: Command): void {
  const command = store
    .command('export')
    .description(
      'Write topics and messages of a data directory, or of Redis, to the standard output, as lines of JSON.',
    )
    .addArgument(directoryArgument())
    .option(
      '--topic <topic>',
      "export only this topic, or the topics of a pattern such as 'orders/**' (in quotes)",
    );
  addRedisOptions(command)
    .addHelpText(
      'after',
      examplesHelp(
        ["fanfare store export --topic 'orders/**' > orders.ndjson", 'Export some topics to a file'],
        ['fanfare store export --redis redis://10.0.0.5 > all.ndjson', 'Export what servers share'],
      ),
    )
    .addHelpText('after', storeExitCodesHelp)
    .action(async (directory: string | undefined, { topic, ...flags }: { topic?: string } & RedisFlags) => {
      const place = await placeOf(command, directory, flags);
      if (place) return (await import('../store.ts')).runRedisExport(place, topic);
      const { runTool } = await import('../store-process.ts');
      await runTool({ tool: 'export', directory: orDefault(directory), topic });
    });
}

function addImport(store: Command): void {
  const command = store
    .command('import')
    .description('Create a data directory, or a log on Redis, from an export on the standard input.')
    .argument('[directory]', 'new or empty directory');
  addRedisOptions(command)
    .addHelpText(
      'after',
      examplesHelp(
        ['fanfare store export old | fanfare store import new', 'Copy the data that can be read'],
        [
          'fanfare store export | fanfare store import --redis redis://10.0.0.5',
          'Go from one server to many',
        ],
      ),
    )
    .addHelpText('after', storeExitCodesHelp)
    .action(async (directory: string | undefined, flags: RedisFlags) => {
      const place = await placeOf(command, directory, flags);
      if (place) return (await import('../store.ts')).runRedisImport(place);
      if (directory === undefined)
        throw new CommandError(exitCodes.usage, 'Name a new or empty directory, or Redis with --redis.');
      const { runTool } = await import('../store-process.ts');
      await runTool({ tool: 'import', directory: resolve(directory) });
    });
}

function addRedisOptions(command: Command): Command {
  const envOf = (name: 'redis' | 'redisPrefix'): string => envsOf(name)[0] as string;
  return command
    .addOption(
      new Option(
        '--redis <url>',
        'Redis or Valkey instead of a directory; put a password into the variable',
      ).env(envOf('redis')),
    )
    .addOption(
      new Option('--redis-prefix <name>', 'the redisPrefix of the servers').env(envOf('redisPrefix')),
    );
}

/** The log on Redis that the options name. A directory counts more than a variable. */
async function placeOf(
  command: Command,
  directory: string | undefined,
  { redis: given, redisPrefix }: RedisFlags,
): Promise<RedisPlace | undefined> {
  const redis = given === undefined || given === '' ? await redisFromFile(directory) : given;
  if (redis === undefined) return undefined;
  if (directory !== undefined) {
    if (command.getOptionValueSource('redis') === 'env') return undefined;
    throw new CommandError(exitCodes.usage, 'Name a directory or --redis, not both.');
  }
  return (await import('../redis-place.ts')).redisPlaceOf(redis, redisPrefix);
}

/** The URL in the file of `FANFARE_REDIS_FILE`, as for a server. A directory counts more. */
async function redisFromFile(directory: string | undefined): Promise<string | undefined> {
  const variable = secretFileEnvOf('redis') ?? '';
  const path = process.env[variable];
  if (directory !== undefined || path === undefined || path === '') return undefined;
  return (await import('../read-secret.ts')).readSecret(path, variable).text;
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
