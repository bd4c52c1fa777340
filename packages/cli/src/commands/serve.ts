import {
  envsOf,
  flagOf,
  groupOf,
  settingKinds,
  settingNames,
  type SettingGroup,
  type Settings,
} from '@fanfare/server/settings';
import { Option, type Command } from 'commander';
import { examplesHelp } from '../help.ts';
import { checkOpenFileLimit } from '../open-file-limit.ts';

const serveNotes = `
Each option can also be set as an environment variable, or by name in the file
of --config.
For example, --key-file is FANFARE_KEY_FILE in the environment and keyFile in
the file.
docs/configuration.md describes each setting.

Exit codes: 0 stopped by Ctrl-C or SIGTERM, 1 the address or the data directory
cannot be used, 2 wrong settings, 4 the data directory is damaged, 5 another
server has taken over the data directory, 129, 130 or 143 stopped by a second
signal.`;

const groups: readonly SettingGroup[] = ['common', 'storage', 'access', 'limits', 'network'];

/** The placeholder in help for the value of a string setting. */
const takes: { readonly [K in keyof Settings]?: string } = {
  host: 'address',
  data: 'directory',
  origins: 'origins',
  keyFile: 'file',
  key: 'key',
  keyAlgorithm: 'algorithm',
  jwksUrl: 'url',
  audience: 'name',
  trustProxy: 'proxies',
  issuer: 'name',
  redis: 'url',
  redisPrefix: 'name',
  redisStored: 'where',
};

export function addServe(program: Command): void {
  const serve = program.command('serve').description('Start the server.');
  for (const group of groups) {
    const names = settingNames.filter((name) => groupOf(name) === group);
    for (const name of names) serve.addOption(optionOf(name).helpGroup(headingOf(group)));
    if (group === 'common') serve.addOption(configOption().helpGroup(headingOf(group)));
  }
  serve
    .addHelpText(
      'after',
      examplesHelp(
        ['fanfare serve --port 7200 --data /var/lib/fanfare', 'Use another port, and another data directory'],
        ['fanfare serve --memory', 'Keep messages in memory only'],
        ['fanfare serve --redis redis://10.0.0.5', 'Share the messages with other servers'],
        ['fanfare serve --host 0.0.0.0 --key-file secret', 'Serve other machines; clients need tokens'],
      ),
    )
    .addHelpText('after', serveNotes)
    .action(async ({ config, ...flags }: { config?: string } & Record<string, unknown>) => {
      checkOpenFileLimit();
      const { runServe } = await import('../serve.ts');
      await runServe(flags, config);
    });
}

function headingOf(group: SettingGroup): string {
  return `${group.charAt(0).toUpperCase()}${group.slice(1)}:`;
}

function configOption(): Option {
  return new Option('--config <file>', 'JSON file with settings.').env('FANFARE_CONFIG');
}

function optionOf(name: keyof Settings): Option {
  const { default: fallback, alsoEnv } = settingKinds[name];
  const notes = [
    ...(fallback === '' || typeof fallback === 'boolean' || typeof fallback === 'object'
      ? []
      : [`default: ${fallback}`]),
    ...(alsoEnv === undefined ? [] : [`env: ${envsOf(name).join(', ')}`]),
  ];
  const { about: description, limit } = settingKinds[name];
  const beyond = limit && ` Beyond it, ${limit.beyond.charAt(0).toLowerCase()}${limit.beyond.slice(1)}`;
  const about = `${firstSentence(description)}${beyond ?? ''}`;
  return new Option(
    `${flagOf(name)}${valueOf(name)}`,
    notes.length > 0 ? `${about} (${notes.join(', ')})` : about,
  );
}

function valueOf(name: keyof Settings): string {
  switch (typeof settingKinds[name].default) {
    case 'boolean':
      return '';
    case 'number':
      return ' <number>';
    case 'string':
      return ` <${takes[name] ?? 'text'}>`;
    default:
      return ' <json>';
  }
}

/** The first sentence is enough for help. docs/configuration.md has the whole description. */
function firstSentence(text: string): string {
  return /^.*?[.](?= [A-Z0-9]|$)/.exec(text)?.[0] ?? text;
}
