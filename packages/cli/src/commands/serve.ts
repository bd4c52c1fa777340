import { envsOf, flagOf, settingKinds, settingNames, type Settings } from '@fanfare/server/settings';
import { Option, type Command } from 'commander';

const serveExitCodesHelp = `
Exit codes: 0 ended by Ctrl-C or SIGTERM, 1 the address or the data directory cannot be had, 2 wrong settings,
4 the data directory is damaged, 5 another server has taken the data directory, 130 or 143 ended by a second Ctrl-C or SIGTERM.`;

export function addServe(program: Command): void {
  const serve = program.command('serve').description('Run the server.');
  for (const name of settingNames) serve.option(flagWithValue(name), aboutSetting(name));
  serve
    .addOption(new Option('--config <file>', 'A JSON file of settings.').env('FANFARE_CONFIG'))
    .addHelpText('after', serveExitCodesHelp)
    .action(async ({ config, ...flags }: { config?: string } & Record<string, unknown>) => {
      const { runServe } = await import('../serve.ts');
      await runServe(flags, config);
    });
}

function flagWithValue(name: keyof Settings): string {
  const { default: fallback } = settingKinds[name];
  switch (typeof fallback) {
    case 'boolean':
      return flagOf(name);
    case 'number':
      return `${flagOf(name)} <number>`;
    case 'string':
      return `${flagOf(name)} <${name === 'data' ? 'directory' : 'text'}>`;
    default:
      return `${flagOf(name)} <json>`;
  }
}

function aboutSetting(name: keyof Settings): string {
  const { default: fallback, about } = settingKinds[name];
  const shown = typeof fallback === 'object' ? 'none' : String(fallback);
  return `${about} (default: ${shown}, env: ${envsOf(name).join(', ')})`;
}
