import {
  checkSettings,
  didYouMean,
  explainSettings,
  SettingsError,
  settingsSchema,
  type ExplainedSettings,
} from '@fanfare/server';
import {
  canReload,
  envsOf,
  formatValue,
  maskedValue,
  secretFileEnvOf,
  settingNames,
} from '@fanfare/server/settings';
import { CommandError, exitCodes } from './exit-codes.ts';
import { print, say } from './output.ts';
import { readSettingsFile } from './settings-file.ts';
import { Table } from './table.ts';

/** The flags and the path of the file that settings come from, in addition to the environment. */
export interface GivenSettings {
  readonly path: string | undefined;
  readonly flags: Readonly<Record<string, unknown>>;
}

/**
 * Reads the settings of flags, the environment and the file.
 *
 * @throws SettingsError with all problems
 */
export async function readSettings({ path, flags }: GivenSettings): Promise<ExplainedSettings> {
  const file = path === undefined || path === '' ? undefined : await readSettingsFile(path);
  return explainSettings({ flags, env: process.env, ...(file && { file }) });
}

/** Ends the command if the settings are wrong. */
export function endIfWrong(error: unknown): never {
  throw error instanceof SettingsError ? new CommandError(exitCodes.usage, error.message) : error;
}

/** `fanfare config print` @throws CommandError if the settings are wrong */
export async function runPrint(given: GivenSettings, isJson: boolean): Promise<void> {
  const { settings, sources } = await readSettings(given).catch(endIfWrong);
  const rows = settingNames.map((setting) => ({
    setting,
    value: maskedValue(setting, settings[setting]),
    source: sources[setting],
    reload: canReload(setting),
  }));
  if (isJson) return void print(...rows.map((row) => JSON.stringify(row)));
  const table = new Table([
    { title: 'SETTING', style: 'bold' },
    { title: 'VALUE' },
    { title: 'SOURCE' },
    { title: 'A CHANGE NEEDS' },
  ]);
  table.print(
    rows.map(({ setting, value, source, reload }) => [
      setting,
      formatValue(setting, value),
      source,
      reload ? 'reload' : 'restart',
    ]),
  );
}

/** `fanfare config check` @throws CommandError with all problems */
export async function runCheck(given: GivenSettings): Promise<void> {
  const { settings, sources } = await readSettings(given).catch(endIfWrong);
  const { problems, warnings } = checkSettings(settings);
  for (const warning of [...warnings, ...misspeltVariables(process.env)]) say(`Warning: ${warning}`);
  if (problems.length > 0) throw new CommandError(exitCodes.usage, problems.join('\n'));
  const count = Object.values(sources).filter((source) => source !== 'default').length;
  const changed = count === 1 ? '1 setting is not the default' : `${count} settings are not the default`;
  print(`The settings are correct (${changed}).`);
}

/** Variables of other commands. */
const otherVariables = ['CONFIG', 'URL', 'TOKEN', 'TOKEN_FILE', 'CA'].map((name) => `FANFARE_${name}`);

/** Not errors: other programs may have variables with this beginning. */
function misspeltVariables(env: Readonly<Record<string, string | undefined>>): readonly string[] {
  const secretFiles = settingNames.map(secretFileEnvOf).filter((name) => name !== undefined);
  const known = new Set([...settingNames.flatMap(envsOf), ...secretFiles, ...otherVariables]);
  const unknown = Object.keys(env).filter((name) => name.startsWith('FANFARE_') && !known.has(name));
  return unknown.flatMap((name) => {
    const hint = didYouMean(name, [...known]);
    return hint === '' ? [] : [`${name} is not a setting.${hint}`];
  });
}

export function runSchema(): void {
  print(JSON.stringify(settingsSchema(), null, 2));
}
