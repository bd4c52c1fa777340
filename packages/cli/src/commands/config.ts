import type { Command } from 'commander';
import { examplesHelp } from '../help.ts';
import { addHiddenSettingOptions, configOption, type SettingFlags } from './setting-options.ts';

const flagsHelp = `
The command also takes all options of 'fanfare serve', and reads the same
environment variables.`;

const configExitCodesHelp = `
Exit codes: 0 done, 2 wrong settings.`;

export function addInit(program: Command): void {
  program
    .command('init')
    .description('Write a configuration file with all settings, their defaults and descriptions.')
    .argument('[file]', 'file to create', 'fanfare.yaml')
    .addHelpText(
      'after',
      `
The file is YAML. Next to it, the command writes fanfare.schema.json, with which
editors check and complete the settings.`,
    )
    .addHelpText(
      'after',
      examplesHelp(
        ['fanfare init', 'Write fanfare.yaml'],
        ['fanfare serve --config fanfare.yaml', 'Start a server with it'],
      ),
    )
    .addHelpText('after', '\nExit codes: 0 done, 1 the file exists or cannot be written.')
    .action(async (file: string) => (await import('../init.ts')).runInit(file));
}

export function addConfig(program: Command): void {
  const config = program.command('config').description('Print and check the settings of the server.');
  addHiddenSettingOptions(
    config
      .command('print')
      .description('Print the settings in force, and where each value comes from. Secrets are masked.')
      .addOption(configOption())
      .option(
        '--json',
        'print each setting as a line of JSON: {"setting", "value", "source", "reload"}',
        false,
      ),
  )
    .addHelpText('after', flagsHelp)
    .addHelpText(
      'after',
      examplesHelp(['fanfare config print --config fanfare.yaml', 'Print what a server would use']),
    )
    .addHelpText('after', configExitCodesHelp)
    .action(async ({ config: path, json, ...flags }: SettingFlags & { json: boolean }) =>
      (await import('../config.ts')).runPrint({ path, flags }, json),
    );
  addHiddenSettingOptions(
    config
      .command('check')
      .description('Report every problem of the settings, with its line in the file. Nothing is started.')
      .argument('[file]', 'YAML or JSON file with settings (default: that of FANFARE_CONFIG)'),
  )
    .addHelpText('after', flagsHelp)
    .addHelpText(
      'after',
      examplesHelp(['fanfare config check fanfare.yaml', 'Check a file before the server reads it']),
    )
    .addHelpText('after', configExitCodesHelp)
    .action(async (file: string | undefined, flags: SettingFlags) => {
      const path = file ?? process.env['FANFARE_CONFIG'];
      await (await import('../config.ts')).runCheck({ path, flags });
    });
  config
    .command('schema')
    .description('Print a JSON Schema of configuration files, for editors.')
    .action(async () => (await import('../config.ts')).runSchema());
}
