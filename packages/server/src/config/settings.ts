import { accessKinds, type AccessSettings } from './access-settings.ts';
import { limitKinds, type LimitSettings } from './limits.ts';
import { listenKinds, type ListenSettings } from './listen-settings.ts';
import { mask, maskedRules, maskedUrl } from './masks.ts';
import type { RuleSetting } from './rules.ts';
import type { SettingGroup, SettingKind, SettingValue } from './setting-kind.ts';
import { stopSettingKinds, type StopSettings } from './stop-settings.ts';
import { formatWithUnit, sizeUnits, timeUnits, type Units } from './units.ts';

export { defaultKeep } from './rules.ts';
export { fixedLimits } from '../limits/fixed-limits.ts';
export { logLevels } from '../observability/log-levels.ts';
export { settingGroups, type SettingGroup, type SettingValue } from './setting-kind.ts';
export { timeUnits } from './units.ts';

/**
 * All settings of the server, in one place: name, type, bounds and purpose. The flags, the environment
 * variables, the configuration file and docs/configuration.md are all derived from it.
 */
export interface Settings extends AccessSettings, LimitSettings, ListenSettings, StopSettings {
  readonly host: string;
  readonly port: number;
  readonly open: boolean;
  readonly origins: string;
  readonly trustProxy: string | number;
  readonly advertise: string;
  readonly data: string;
  readonly allowNetworkStorage: boolean;
  readonly memory: boolean;
  readonly memoryBytesMax: number;
  readonly redis: string;
  readonly redisPrefix: string;
  readonly redisWait: number;
  readonly redisStored: string;
  readonly rules: readonly RuleSetting[];
  readonly webhookNetworks: string;
  readonly idWindowMs: number;
  readonly logLevel: string;
}

export const settingKinds: { readonly [K in keyof Settings]: SettingKind<Settings[K]> } = {
  host: {
    group: 'common',
    default: '127.0.0.1',
    about: 'Address to listen on. Any address other than a loopback address needs a key or --open.',
  },
  port: {
    group: 'common',
    default: 5000,
    min: 0,
    max: 65_535,
    alsoEnv: 'PORT',
    about: 'Port to listen on; 0 takes any free port.',
  },
  ...listenKinds,
  open: {
    group: 'common',
    default: false,
    about:
      'Listen on an address that others can reach, without a key: anyone who can reach it may read and publish everything.',
  },
  origins: {
    group: 'access',
    default: '',
    canReload: true,
    about:
      'Origins of further web pages that may connect, publish and read, separated by commas (https://app.example, http://localhost:5173). Write each exactly as browsers send it. Pages of the server itself always may.',
  },
  trustProxy: {
    group: 'network',
    default: '',
    about:
      'Proxies whose X-Forwarded-For is trusted: their addresses and networks, separated by commas (127.0.0.1, 10.0.0.0/8), or the number of proxies that every request passes. Limits, logs and /connections then use the address of the client.',
  },
  advertise: {
    group: 'network',
    default: '',
    about:
      'Address at which the other nodes reach this one, HOST:PORT, if several nodes are one Fanfare. The server listens on this port for other nodes only. By default it takes any free port, on the address of `host` or of the machine.',
  },
  ...accessKinds,
  data: {
    group: 'common',
    default: 'fanfare-data',
    about:
      'Directory that messages are kept in. The server creates it if it does not exist. Only one server at a time can use it.',
  },
  allowNetworkStorage: {
    group: 'storage',
    default: false,
    about:
      'Allow a data directory on network storage (NFS, SMB, FUSE, …). By default the server refuses one, because it cannot always tell whether another machine writes to it.',
  },
  memory: {
    group: 'common',
    default: false,
    about: 'Keep messages in memory instead of the data directory. They are lost when the server stops.',
  },
  memoryBytesMax: {
    group: 'storage',
    default: 268_435_456,
    min: 1_048_576,
    max: 1_099_511_627_776,
    about:
      'With memory: maximum size of all messages together. Beyond it, the server drops the oldest messages.',
  },
  redis: {
    group: 'common',
    default: '',
    isSecret: true,
    about:
      'Redis or Valkey server that messages are kept in, as a URL, instead of the data directory: redis://10.0.0.5:6379, rediss:// for TLS (also between servers), redis+sentinel://HOST,HOST/NAME (?sentinelPassword=PASSWORD) or redis+cluster://HOST,HOST. All servers that use it with the same redisPrefix are one Fanfare. Other users of the machine can read flags, so put a password into FANFARE_REDIS, or the whole URL into the file that FANFARE_REDIS_FILE names.',
  },
  redisPrefix: {
    group: 'storage',
    default: 'fanfare',
    about:
      'With redis: the beginning of the names of all keys. Servers with different prefixes share a Redis and nothing else.',
  },
  redisWait: {
    group: 'storage',
    default: 0,
    min: 0,
    max: 100,
    about:
      'With redis: the number of replicas that must have a message before it is acknowledged; `stored` is then `replicated`. 0 waits for none.',
  },
  redisStored: {
    group: 'storage',
    default: '',
    about:
      'With redis: where Redis has a message when it answers, `memory` or `disk`, if the server may not read the configuration of Redis. By default the server reads it, or assumes `memory`.',
  },
  rules: {
    group: 'storage',
    default: [],
    canReload: true,
    about:
      'Rules that say which messages each topic keeps, in the environment and as a flag as JSON: [{"match": "prices/**", "keep": "none"}, …]. See the section on rules.',
  },
  webhookNetworks: {
    group: 'network',
    default: '',
    about:
      'Networks that webhooks may connect to although they are not public, also with http: addresses and networks, separated by commas (127.0.0.1, 10.0.0.0/8). By default, webhooks connect only to public addresses, and only with https.',
  },
  idWindowMs: {
    group: 'storage',
    default: 600_000,
    min: 1_000,
    max: 604_800_000,
    about:
      'How long the server remembers the id of a publish. In this time, a publish with the same id creates no second message.',
  },
  logLevel: {
    group: 'common',
    default: 'info',
    canReload: true,
    about: 'Level of the log: info, warn, error or silent. Events of lower levels are not logged.',
  },
  ...stopSettingKinds,
  ...limitKinds,
};

export const settingNames: readonly (keyof Settings)[] = Object.keys(settingKinds) as (keyof Settings)[];

/** `publishBytesMax` → `--publish-bytes-max` */
export function flagOf(name: keyof Settings): string {
  return `--${words(name).join('-')}`;
}

/** `port` → `FANFARE_PORT`, `PORT`: the environment variables of a setting, highest precedence first. */
export function envsOf(name: keyof Settings): readonly string[] {
  const { alsoEnv } = settingKinds[name];
  const own = ['FANFARE', ...words(name)].join('_').toUpperCase();
  return alsoEnv === undefined ? [own] : [own, alsoEnv];
}

/**
 * `redis` → `FANFARE_REDIS_FILE`: the environment variable that names a file with the value of a secret.
 * `key` has none, because the setting `keyFile` has this meaning, and is read again when it changes.
 */
export function secretFileEnvOf(name: keyof Settings): string | undefined {
  const hasOwnSetting = Object.hasOwn(settingKinds, `${name}File`);
  return settingKinds[name].isSecret === true && !hasOwnSetting ? `${envsOf(name)[0]}_FILE` : undefined;
}

/** The units of a setting. The name tells them: `stallTimeoutMs`, `publishBytesMax`. */
export function unitsOf(name: keyof Settings): Units | undefined {
  if (/Ms(?:Max)?$/.test(name) || name === 'waitForData') return timeUnits;
  return /Bytes(?:Max)?$/.test(name) ? sizeUnits : undefined;
}

/** A value for people, with the largest unit that fits: `10m`. */
export function formatValue(name: keyof Settings, value: SettingValue): string {
  if (typeof value === 'object') return JSON.stringify(value);
  const units = unitsOf(name);
  return units && typeof value === 'number' ? formatWithUnit(value, units) : String(value);
}

/** A value that can be shown: without what is secret in it. */
export function maskedValue(name: keyof Settings, value: SettingValue): SettingValue {
  if (name === 'rules') return maskedRules(value as readonly RuleSetting[]);
  if (settingKinds[name].isSecret !== true || value === '') return value;
  return name === 'redis' && typeof value === 'string' ? maskedUrl(value) : mask;
}

/** Whether a reload applies a change of the setting. */
export function canReload(name: keyof Settings): boolean {
  const { limit, canReload: isMarked = limit !== undefined } = settingKinds[name];
  return isMarked;
}

function words(name: string): string[] {
  return name.split(/(?=[A-Z])/).map((word) => word.toLowerCase());
}

export function groupOf(name: keyof Settings): SettingGroup {
  return settingKinds[name].group ?? 'limits';
}

/** Whether clients need a token. */
export function hasKey({ key, keyFile, jwksUrl }: Settings): boolean {
  return key !== '' || keyFile !== '' || jwksUrl !== '';
}

export function isRedisPrefix(value: string): boolean {
  return /^[\w.-]{1,64}$/.test(value);
}

/** What the names of all keys in Redis begin with. The hash tag keeps them in one slot of a cluster. */
export function keyPrefixOf(redisPrefix: string): string {
  return `{${redisPrefix}}:`;
}
