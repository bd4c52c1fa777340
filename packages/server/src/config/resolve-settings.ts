import { algorithmOf, algorithms } from '../access/algorithms.ts';
import { parseTrustProxy } from '../access/client-address.ts';
import { isLoopback } from '../access/loopback.ts';
import { parseNodeAddress } from '../nodes/node-directory.ts';
import { parseOrigins } from './origins.ts';
import { parseRules, type RuleSetting } from './rules.ts';
import {
  envsOf,
  flagOf,
  hasKey,
  isRedisPrefix,
  settingKinds,
  settingNames,
  type Settings,
  type SettingValue,
} from './settings.ts';

/**
 * The sources of settings, highest precedence first. Flags and environment variables are texts, a file has
 * JSON values.
 */
export interface SettingSources {
  readonly flags: Readonly<Record<string, unknown>>;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly file?: SettingsFile;
  /** Whether the program identifies clients itself (`identify`), so that no key is needed. */
  readonly identifies?: boolean;
}

/** A parsed configuration file, or the reason why it could not be read. Errors name the path. */
export type SettingsFile =
  | { readonly path: string; readonly content: unknown }
  | { readonly path: string; readonly unreadable: string };

/** Thrown for wrong settings. `problems` has one sentence for each. */
export class SettingsError extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join('\n'));
    this.name = 'SettingsError';
    this.problems = problems;
  }
}

/**
 * Combines the settings. Precedence: flags, environment, file, defaults.
 *
 * @throws SettingsError that names all problems at once
 */
export function resolveSettings(sources: SettingSources): Settings {
  const problems: string[] = [];
  const file = readFileContent(sources.file, problems);
  const resolved: Record<string, SettingValue> = {};
  for (const name of settingNames) {
    const found = find(name, sources, file);
    if (!found) {
      resolved[name] = settingKinds[name].default;
      continue;
    }
    resolved[name] = parse(name, found, problems) ?? settingKinds[name].default;
  }
  const settings = resolved as unknown as Settings;
  const { identifies = false } = sources;
  if (identifies && hasKey(settings))
    problems.push(
      '`identify` cannot be combined with `key`, `keyFile` or `jwksUrl`: remove one or the other.',
    );
  if (!settings.open && !identifies && !hasKey(settings) && !isLoopback(settings.host))
    problems.push(needsOpen(settings.host));
  if ((settings.tlsCert === '') !== (settings.tlsKey === ''))
    problems.push('TLS needs a certificate and its key: set both `tlsCert` and `tlsKey`.');
  if (settings.redis !== '') problems.push(...otherStorage(sources, file, settings));
  if (problems.length > 0) throw new SettingsError(problems);
  return settings;
}

function otherStorage(
  sources: SettingSources,
  file: Readonly<Record<string, unknown>>,
  { memory, data }: Settings,
): readonly string[] {
  const others = [
    data === settingKinds.data.default ? undefined : find('data', sources, file),
    memory ? find('memory', sources, file) : undefined,
  ];
  return others.flatMap((found) =>
    found === undefined
      ? []
      : [
          `${found.source} cannot be combined with redis, which messages are kept in then: remove one of them.`,
        ],
  );
}

function needsOpen(host: string): string {
  return (
    `Other machines can reach ${host}, and without a key anyone who can reach the server may read and publish everything. ` +
    `Set a key (${flagOf('keyFile')}), or remove the host, or allow this with open (${flagOf('open')}).`
  );
}

/** The values that a setting accepts, in words: `a whole number from 0 to 65535`. */
function describe(name: keyof Settings): string {
  const { default: fallback, min, max } = settingKinds[name];
  if (name === 'keyAlgorithm') return `one of ${algorithms.join(', ')}`;
  if (name === 'trustProxy') return 'addresses such as 127.0.0.1, 10.0.0.0/8, or the number of proxies';
  if (name === 'redisPrefix') return '1 to 64 letters, digits, dots, hyphens and underscores';
  if (name === 'redisStored') return 'memory or disk';
  if (name === 'listen') return 'unix:PATH (such as unix:/run/fanfare.sock) or systemd';
  if (name === 'advertise') return 'HOST:PORT, such as 10.0.0.5:7000 or [2001:db8::5]:7000';
  if (name === 'jwksUrl') return 'an https URL without a password (or an http URL of this machine)';
  switch (typeof fallback) {
    case 'number':
      return `a whole number from ${min} to ${max}`;
    case 'boolean':
      return 'true or false';
    default:
      return 'a string';
  }
}

interface Found {
  readonly source: string;
  readonly value: unknown;
}

function find(
  name: keyof Settings,
  { flags, env, file: named }: SettingSources,
  file: Readonly<Record<string, unknown>>,
): Found | undefined {
  if (flags[name] !== undefined) return { source: flagOf(name), value: flags[name] };
  for (const variable of envsOf(name)) {
    const value = env[variable];
    if (value !== undefined && value !== '') return { source: variable, value };
  }
  if (Object.hasOwn(file, name) && file[name] !== undefined)
    return { source: `${name} in ${named?.path}`, value: file[name] };
  return undefined;
}

function readFileContent(
  file: SettingSources['file'],
  problems: string[],
): Readonly<Record<string, unknown>> {
  if (!file) return {};
  const { path } = file;
  if ('unreadable' in file) {
    problems.push(`Cannot read ${path} as JSON: ${file.unreadable}`);
    return {};
  }
  const { content } = file;
  if (typeof content !== 'object' || content === null || Array.isArray(content)) {
    problems.push(`${path} must be a JSON object such as {"port": 5000}.`);
    return {};
  }
  for (const name of Object.keys(content)) {
    if (!Object.hasOwn(settingKinds, name))
      problems.push(`${path} has the unknown setting ${JSON.stringify(name)}.`);
  }
  return content as Readonly<Record<string, unknown>>;
}

/** Parses the value of a setting. Returns undefined and adds a problem if the setting does not accept it. */
function parse(name: keyof Settings, { source, value }: Found, problems: string[]): SettingValue | undefined {
  if (name === 'rules') {
    const given = typeof value === 'string' ? parseJson(value) : value;
    const parsed = parseRules(given);
    if ('rules' in parsed) return given as readonly RuleSetting[];
    problems.push(...parsed.problems.map((problem) => `${source} ${problem}.`));
    return undefined;
  }
  if (name === 'origins' && typeof value === 'string') {
    if (parseOrigins(value)) return value;
    problems.push(
      `${source} must be origins such as https://app.example, without a path and separated by commas, not ${JSON.stringify(value)}.`,
    );
    return undefined;
  }
  const parsed = parseScalar(
    name,
    name === 'trustProxy' && typeof value === 'number' ? String(value) : value,
  );
  const isFine = parsed !== undefined && isLegal(name, parsed);
  if (!isFine) {
    const shown =
      settingKinds[name].isSecret === true || hasPassword(value) ? '' : `, not ${JSON.stringify(value)}`;
    problems.push(`${source} must be ${describe(name)}${shown}.`);
  }
  return isFine ? parsed : undefined;
}

/**
 * Errors must not quote a password, because they are written to the log. The log can have more readers than
 * the person who starts the server.
 */
function hasPassword(value: unknown): boolean {
  return typeof value === 'string' && URL.canParse(value) && new URL(value).password !== '';
}

function isLegal(name: keyof Settings, value: SettingValue): boolean {
  if (value === '') return true;
  if (name === 'trustProxy') return typeof value === 'string' && parseTrustProxy(value) !== undefined;
  if (name === 'keyAlgorithm') return algorithmOf(value) !== undefined;
  if (name === 'redisPrefix') return typeof value === 'string' && isRedisPrefix(value);
  if (name === 'redisStored') return value === 'memory' || value === 'disk';
  if (name === 'listen') return typeof value === 'string' && /^(?:systemd$|unix:.)/.test(value);
  if (name === 'advertise') return typeof value === 'string' && parseNodeAddress(value) !== undefined;
  return name !== 'jwksUrl' || (typeof value === 'string' && isKeyUrl(value));
}

/** Requires https, except on this machine: anyone on the network could replace keys that come unencrypted. */
function isKeyUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname, username, password } = new URL(text);
  const isSafe =
    protocol === 'https:' || (protocol === 'http:' && isLoopback(hostname.replace(/^\[|\]$/g, '')));
  return isSafe && username === '' && password === '';
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function parseScalar(name: keyof Settings, value: unknown): SettingValue | undefined {
  const { default: fallback, min = -Infinity, max = Infinity } = settingKinds[name];
  switch (typeof fallback) {
    case 'number': {
      const number = typeof value === 'string' && /^[0-9]{1,15}$/.test(value) ? Number(value) : value;
      return Number.isSafeInteger(number) && (number as number) >= min && (number as number) <= max
        ? (number as number)
        : undefined;
    }
    case 'boolean':
      if (value === true || value === 'true' || value === '1') return true;
      return value === false || value === 'false' || value === '0' ? false : undefined;
    default:
      return typeof value === 'string' && (value !== '' || fallback === '') ? value : undefined;
  }
}
