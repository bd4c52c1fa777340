import { algorithmOf, algorithms } from '../access/algorithms.ts';
import { parseTrustProxy } from '../access/client-address.ts';
import { parseNetworks } from '../access/networks.ts';
import { isLoopback } from '../access/loopback.ts';
import { parseNodeAddress } from '../nodes/node-directory.ts';
import { isLogLevel, logLevels } from '../observability/log-levels.ts';
import { parseAdminListen } from './admin-listen.ts';
import { parseOrigins } from './origins.ts';
import { parseRules, type RuleSetting } from './rules.ts';
import { isRedisPrefix, settingKinds, unitsOf, type Settings, type SettingValue } from './settings.ts';
import { formatWithUnit, parseWithUnit, timeUnits } from './units.ts';

/** The reason why a value is refused: the rest of a sentence that begins with the place of the value. */
export interface ValueProblem {
  /** Where in the value the problem is, such as `[0, 'keep', 'age']`. */
  readonly at: readonly (string | number)[];
  readonly text: string;
}

export type ParsedValue = { readonly value: SettingValue } | { readonly problems: readonly ValueProblem[] };

/** Parses the value of a setting: a text, or the value of a file. A problem never quotes a secret. */
export function parseValue(name: keyof Settings, given: unknown): ParsedValue {
  if (name === 'rules') {
    const rules = typeof given === 'string' ? parseJson(given) : given;
    const parsed = parseRules(rules);
    return 'rules' in parsed ? { value: rules as readonly RuleSetting[] } : parsed;
  }
  const value = parseScalar(name, isTextOrNumber(name) && typeof given === 'number' ? String(given) : given);
  if (value !== undefined && isLegal(name, value)) return { value };
  const isHidden = settingKinds[name].isSecret === true || hasPassword(given);
  const shown = isHidden ? '' : `, not ${JSON.stringify(given)}`;
  return { problems: [{ at: [], text: `must be ${describeValues(name)}${shown}` }] };
}

/** The values that a setting accepts, in words: `a whole number from 0 to 65535`. */
export function describeValues(name: keyof Settings): string {
  const { default: fallback, min = 0, max = Infinity } = settingKinds[name];
  if (name === 'keyAlgorithm') return `one of ${algorithms.join(', ')}`;
  if (name === 'logLevel') return `one of ${logLevels.join(', ')}`;
  if (name === 'origins')
    return 'origins such as https://app.example, without a path and separated by commas';
  if (name === 'trustProxy') return 'addresses such as 127.0.0.1, 10.0.0.0/8, or the number of proxies';
  if (name === 'webhookNetworks') return 'addresses and networks such as 127.0.0.1, 10.0.0.0/8';
  if (name === 'redisPrefix') return '1 to 64 letters, digits, dots, hyphens and underscores';
  if (name === 'redisStored') return 'memory or disk';
  if (name === 'listen') return 'unix:PATH (such as unix:/run/fanfare.sock) or systemd';
  if (name === 'advertise') return 'HOST:PORT, such as 10.0.0.5:7000 or [2001:db8::5]:7000';
  if (name === 'adminListen') return 'HOST:PORT, such as 10.0.0.5:9464 or [::1]:9464, or a port';
  if (name === 'jwksUrl') return 'an https URL without a password (or an http URL of this machine)';
  const units = unitsOf(name);
  if (units) {
    const [from, to] = [min, max].map((bound) => formatWithUnit(bound, units));
    const kind = units === timeUnits ? 'time' : 'size';
    const plain = units === timeUnits ? 'milliseconds' : 'bytes';
    return `a ${kind} from ${from} to ${to}, such as ${units === timeUnits ? '10s' : '16MiB'} (a plain number is in ${plain})`;
  }
  switch (typeof fallback) {
    case 'number':
      return `a whole number from ${min} to ${max}`;
    case 'boolean':
      return 'true or false';
    default:
      return 'a string';
  }
}

/**
 * Errors must not quote a password, because they are written to the log. The log can have more readers than
 * the person who starts the server.
 */
function hasPassword(value: unknown): boolean {
  return typeof value === 'string' && URL.canParse(value) && new URL(value).password !== '';
}

/** Settings that are a text, or a number in a file. */
function isTextOrNumber(name: keyof Settings): boolean {
  return name === 'trustProxy' || name === 'adminListen';
}

function isLegal(name: keyof Settings, value: SettingValue): boolean {
  if (name === 'logLevel') return isLogLevel(value);
  if (value === '') return true;
  if (name === 'origins') return typeof value === 'string' && parseOrigins(value) !== undefined;
  if (name === 'trustProxy') return typeof value === 'string' && parseTrustProxy(value) !== undefined;
  if (name === 'webhookNetworks') return typeof value === 'string' && parseNetworks(value) !== undefined;
  if (name === 'keyAlgorithm') return algorithmOf(value) !== undefined;
  if (name === 'redisPrefix') return typeof value === 'string' && isRedisPrefix(value);
  if (name === 'redisStored') return value === 'memory' || value === 'disk';
  if (name === 'listen') return typeof value === 'string' && /^(?:systemd$|unix:.)/.test(value);
  if (name === 'advertise') return typeof value === 'string' && parseNodeAddress(value) !== undefined;
  if (name === 'adminListen') return typeof value === 'string' && parseAdminListen(value) !== undefined;
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
      const number = typeof value === 'string' ? parseNumber(name, value) : value;
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

function parseNumber(name: keyof Settings, text: string): number | undefined {
  if (/^[0-9]{1,15}$/.test(text)) return Number(text);
  const units = unitsOf(name);
  return units && parseWithUnit(text, units);
}
