import {
  envsOf,
  flagOf,
  formatValue,
  groupOf,
  settingGroups,
  settingKinds,
  settingNames,
  timeUnits,
  unitsOf,
  type SettingGroup,
  type Settings,
} from '@fanfare/server/settings';
import { Option, type Command } from 'commander';

/** The settings that are given as flags, by name, and the configuration file. */
export type SettingFlags = { readonly config?: string } & Readonly<Record<string, unknown>>;

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
  adminListen: 'address',
  issuer: 'name',
  redis: 'url',
  redisPrefix: 'name',
  redisStored: 'where',
  logLevel: 'level',
  listen: 'place',
  tlsCert: 'file',
  tlsKey: 'file',
};

/** Adds `--config` and a flag for each setting, in groups. */
export function addSettingOptions(command: Command): Command {
  for (const group of settingGroups) {
    const names = settingNames.filter((name) => groupOf(name) === group);
    for (const name of names) command.addOption(optionOf(name).helpGroup(headingOf(group)));
    if (group === 'common') command.addOption(configOption().helpGroup(headingOf(group)));
  }
  return command;
}

/** As {@link addSettingOptions}, without help for the flags: it is that of `fanfare serve`. */
export function addHiddenSettingOptions(command: Command): Command {
  for (const name of settingNames) command.addOption(optionOf(name).hideHelp());
  return command;
}

export function configOption(): Option {
  return new Option('--config <file>', 'YAML or JSON file with settings.').env('FANFARE_CONFIG');
}

function headingOf(group: SettingGroup): string {
  return `${group.charAt(0).toUpperCase()}${group.slice(1)}:`;
}

function optionOf(name: keyof Settings): Option {
  const { default: fallback, alsoEnv } = settingKinds[name];
  const notes = [
    ...(fallback === '' || typeof fallback === 'boolean' || typeof fallback === 'object'
      ? []
      : [`default: ${formatValue(name, fallback)}`]),
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
  const units = unitsOf(name);
  if (units) return units === timeUnits ? ' <time>' : ' <size>';
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
