import { readFileSync } from 'node:fs';
import { isLoopback } from '../access/loopback.ts';
import { didYouMean } from './did-you-mean.ts';
import { parseRules } from './rules.ts';
import { parseValue } from './setting-values.ts';
import { webhookProblems } from './webhook.ts';
import {
  envsOf,
  flagOf,
  hasKey,
  secretFileEnvOf,
  settingKinds,
  settingNames,
  type Settings,
  type SettingValue,
} from './settings.ts';

/**
 * The sources of settings, highest precedence first. Flags and environment variables are texts, a file has
 * values.
 */
export interface SettingSources {
  readonly flags: Readonly<Record<string, unknown>>;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly file?: SettingsFile;
  /** Whether the program identifies clients itself (`identify`), so that no key is needed. */
  readonly identifies?: boolean;
}

/** A parsed configuration file, or the reasons why it could not be read, one sentence each. */
export type SettingsFile =
  | {
      /** Errors name it. */
      readonly path: string;
      readonly content: unknown;
      /** The line of a value, such as `['rules', 0, 'keep']`, if the file has lines. */
      readonly lineOf?: (at: readonly (string | number)[]) => number | undefined;
    }
  | { readonly path: string; readonly unreadable: readonly string[] };

/** The settings, and the source of each: `--port`, `FANFARE_PORT`, `fanfare.yaml:3` or `default`. */
export interface ExplainedSettings {
  readonly settings: Settings;
  readonly sources: Readonly<Record<keyof Settings, string>>;
}

/** Thrown for wrong settings. `problems` has one sentence for each. */
export class SettingsError extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join('\n'));
    this.name = 'SettingsError';
    this.problems = problems;
  }
}

/** The name with which a JSON file names its schema, for editors. */
const schemaName = '$schema';

/**
 * Combines the settings. Precedence: flags, environment, file, defaults.
 *
 * @throws SettingsError that names all problems at once
 */
export function resolveSettings(sources: SettingSources): Settings {
  return explainSettings(sources).settings;
}

/**
 * As {@link resolveSettings}, and tells the source of each setting.
 *
 * @throws SettingsError that names all problems at once
 */
export function explainSettings(sources: SettingSources): ExplainedSettings {
  const problems: string[] = [];
  const content = readContent(sources.file, problems);
  const resolved: Record<string, SettingValue> = {};
  const found = new Map<keyof Settings, Found>();
  for (const name of settingNames) {
    resolved[name] = settingKinds[name].default;
    const inFile = findInFile(name, sources.file, content);
    const given = findOutside(name, sources, problems) ?? inFile;
    // A wrong value of the file is a problem even if a flag overrides it.
    for (const one of new Set([given, inFile])) {
      const parsed = one && parseValue(name, one.value);
      if (!one || !parsed) continue;
      if (!('value' in parsed))
        problems.push(...parsed.problems.map(({ at, text }) => `${one.placeOf(at)} ${text}.`));
      else if (one === given) resolved[name] = parsed.value;
    }
    if (given) found.set(name, given);
  }
  const settings = resolved as unknown as Settings;
  problems.push(...contradictions(settings, found, sources));
  if (problems.length > 0) throw new SettingsError(problems);
  const sourceOf = (name: keyof Settings): [string, string] => [name, found.get(name)?.source ?? 'default'];
  return {
    settings,
    sources: Object.fromEntries(settingNames.map(sourceOf)) as Record<keyof Settings, string>,
  };
}

/** The problems of settings that are fine on their own. */
function contradictions(
  settings: Settings,
  found: ReadonlyMap<keyof Settings, Found>,
  { identifies = false }: SettingSources,
): readonly string[] {
  const problems: string[] = [];
  if (identifies && hasKey(settings))
    problems.push(
      '`identify` cannot be combined with `key`, `keyFile` or `jwksUrl`: remove one or the other.',
    );
  if (!settings.open && !identifies && !hasKey(settings) && !isLoopback(settings.host))
    problems.push(needsOpen(settings.host));
  if ((settings.tlsCert === '') !== (settings.tlsKey === ''))
    problems.push('TLS needs a certificate and its key: set both `tlsCert` and `tlsKey`.');
  const parsed = parseRules(settings.rules);
  if ('rules' in parsed) problems.push(...webhookProblems(parsed.rules, settings));
  if (settings.redis === '') return problems;
  const others = [
    settings.data === settingKinds.data.default ? undefined : found.get('data'),
    settings.memory ? found.get('memory') : undefined,
  ];
  for (const other of others) {
    if (!other) continue;
    problems.push(
      `${other.placeOf([])} cannot be combined with redis, which messages are kept in then: remove one of them.`,
    );
  }
  return problems;
}

function needsOpen(host: string): string {
  return (
    `Other machines can reach ${host}, and without a key anyone who can reach the server may read and publish everything. ` +
    `Set a key (${flagOf('keyFile')}), or remove the host, or allow this with open (${flagOf('open')}).`
  );
}

interface Found {
  readonly value: unknown;
  readonly source: string;
  /** Names a part of the value, for the beginning of a sentence. */
  readonly placeOf: (at: readonly (string | number)[]) => string;
}

function findOutside(
  name: keyof Settings,
  { flags, env }: SettingSources,
  problems: string[],
): Found | undefined {
  return flags[name] === undefined ? findInEnv(name, env, problems) : foundIn(flagOf(name), flags[name]);
}

function findInFile(
  name: keyof Settings,
  file: SettingSources['file'],
  content: Readonly<Record<string, unknown>>,
): Found | undefined {
  if (!Object.hasOwn(content, name) || content[name] === undefined) return undefined;
  const lineOf = file && 'lineOf' in file ? file.lineOf : undefined;
  const sourceOf = (at: readonly (string | number)[]): string => {
    const line = lineOf?.([name, ...at]);
    return line === undefined ? `${file?.path}` : `${file?.path}:${line}`;
  };
  return {
    value: content[name],
    source: sourceOf([]),
    placeOf: (at) => `${name} in ${sourceOf(at)}${pathOf(at)}`,
  };
}

function findInEnv(name: keyof Settings, env: SettingSources['env'], problems: string[]): Found | undefined {
  const isSet = (variable: string): boolean => env[variable] !== undefined && env[variable] !== '';
  const variable = envsOf(name).find(isSet);
  const fileVariable = secretFileEnvOf(name);
  if (fileVariable !== undefined && isSet(fileVariable)) {
    if (variable !== undefined)
      problems.push(`${variable} cannot be combined with ${fileVariable}: remove one of them.`);
    return readSecret(fileVariable, env[fileVariable] ?? '', problems);
  }
  return variable === undefined ? undefined : foundIn(variable, env[variable]);
}

/** The content of the file that a variable names, without white space around it. */
function readSecret(variable: string, path: string, problems: string[]): Found | undefined {
  try {
    return foundIn(variable, readFileSync(path, 'utf8').trim());
  } catch (error) {
    problems.push(
      `Cannot read the file '${path}' of ${variable} (${(error as NodeJS.ErrnoException).code}).`,
    );
    return undefined;
  }
}

function foundIn(source: string, value: unknown): Found {
  return { value, source, placeOf: (at) => `${source}${pathOf(at)}` };
}

/** `[0, 'keep', 'age']` → ` [0] keep.age` */
function pathOf(at: readonly (string | number)[]): string {
  const indexes = at.filter((part) => typeof part === 'number').map((index) => ` [${index}]`);
  const members = at.filter((part) => typeof part === 'string').join('.');
  return `${indexes.join('')}${members === '' ? '' : ` ${members}`}`;
}

function readContent(file: SettingSources['file'], problems: string[]): Readonly<Record<string, unknown>> {
  if (!file) return {};
  if ('unreadable' in file) {
    problems.push(...file.unreadable);
    return {};
  }
  const { path, content, lineOf } = file;
  // An empty file, or one with nothing but comments.
  if (content === null) return {};
  if (typeof content !== 'object' || Array.isArray(content)) {
    problems.push(`${path} must have settings by name, such as {"port": 5000}.`);
    return {};
  }
  for (const name of Object.keys(content)) {
    if (Object.hasOwn(settingKinds, name) || name === schemaName) continue;
    const line = lineOf?.([name]);
    const place = line === undefined ? path : `${path}:${line}`;
    problems.push(
      `${place} has the unknown setting ${JSON.stringify(name)}.${didYouMean(name, settingNames)}`,
    );
  }
  return content as Readonly<Record<string, unknown>>;
}
