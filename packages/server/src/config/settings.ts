import type { Limit } from './limit-kind.ts';
import { limitKinds, type LimitSettings } from './limits.ts';
import type { RuleSetting } from './rules.ts';

export { defaultKeep } from './rules.ts';
export { fixedLimits } from '../limits/fixed-limits.ts';

/**
 * All settings of the server, in one place: name, type, bounds and purpose. The flags, the environment
 * variables, the configuration file and docs/configuration.md are all derived from it.
 */
export interface Settings extends LimitSettings {
  readonly host: string;
  readonly port: number;
  readonly listen: string;
  readonly tlsCert: string;
  readonly tlsKey: string;
  readonly open: boolean;
  readonly origins: string;
  readonly trustProxy: string | number;
  readonly advertise: string;
  readonly key: string;
  readonly keyFile: string;
  readonly keyAlgorithm: string;
  readonly jwksUrl: string;
  readonly audience: string;
  readonly issuer: string;
  readonly tokenLifetimeMsMax: number;
  readonly data: string;
  readonly allowNetworkStorage: boolean;
  readonly memory: boolean;
  readonly memoryBytesMax: number;
  readonly redis: string;
  readonly redisPrefix: string;
  readonly redisWait: number;
  readonly redisStored: string;
  readonly rules: readonly RuleSetting[];
  readonly idWindowMs: number;
}

export type SettingValue = string | number | boolean | readonly RuleSetting[];

export type SettingGroup = 'common' | 'storage' | 'access' | 'limits' | 'network';

interface SettingKind<T extends SettingValue> {
  readonly default: T;
  /** The description for people. `fanfare serve --help` shows its first sentence only. */
  readonly about: string;
  /** The group in help. Without one, a limit is in the group `limits`. */
  readonly group?: SettingGroup;
  readonly min?: number;
  readonly max?: number;
  /** A second environment variable beside `FANFARE_…`, if there is a customary name, such as `PORT`. */
  readonly alsoEnv?: string;
  /** Whether the value is secret: error messages must not quote it. */
  readonly isSecret?: boolean;
  /** Present if the setting is a limit for clients. */
  readonly limit?: Limit;
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
  listen: {
    group: 'network',
    default: '',
    about:
      'Where to listen in place of host and port: unix:PATH for a Unix domain socket, or systemd for the socket that a systemd socket unit passes.',
  },
  tlsCert: {
    group: 'network',
    default: '',
    about:
      'File with the certificate as PEM, followed by the certificates of its issuers. With it and tlsKey, the server serves https and wss only. The server reads both files again when they change.',
  },
  tlsKey: {
    group: 'network',
    default: '',
    about: 'File with the private key of tlsCert as PEM, not encrypted.',
  },
  open: {
    group: 'common',
    default: false,
    about:
      'Listen on an address that others can reach, without a key: anyone who can reach it may read and publish everything.',
  },
  origins: {
    group: 'access',
    default: '',
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
  key: {
    group: 'access',
    default: '',
    isSecret: true,
    about:
      'Key that verifies the tokens of clients: a secret of at least 32 bytes, a public key as PEM, or a JWK or JWK set as JSON. With a key, every client needs a token. Other users of the machine can read flags, so prefer keyFile.',
  },
  keyFile: {
    group: 'common',
    default: '',
    about:
      'File with the key that verifies the tokens of clients; with it, every client needs a token. The file contains what `key` accepts. The server reads the file again when it changes.',
  },
  keyAlgorithm: {
    group: 'access',
    default: '',
    about:
      'The only algorithm that a secret or PEM key is used with: HS256, HS384, HS512, RS256, PS256, ES256 or EdDSA. The default is the one of HS256, RS256, ES256 and EdDSA that fits the key. A JWK names its own algorithm, in alg.',
  },
  jwksUrl: {
    group: 'access',
    default: '',
    about:
      'URL of a JWK set, such as that of an identity provider. Keys that cannot be used are ignored. The server fetches the set when the first token arrives, every 10 minutes, and when a token names an unknown key. It waits at least 30 seconds between fetches, or 5 seconds while the URL does not respond.',
  },
  audience: {
    group: 'access',
    default: '',
    about:
      'Audience that tokens must name in aud. Without this setting, tokens with an aud are refused: they are meant for others.',
  },
  issuer: {
    group: 'access',
    default: '',
    about:
      'Issuer that tokens must name in iss, character for character. Without this setting, iss is not checked.',
  },
  tokenLifetimeMsMax: {
    group: 'access',
    default: 0,
    min: 0,
    max: 3_155_760_000_000,
    about:
      'Maximum lifetime of tokens, from iat to exp, in milliseconds; 0 means no limit. Tokens with a longer lifetime or without iat are refused. The server remembers a revoked subject for this long, and with 0 permanently.',
  },
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
      'With memory: maximum size of all messages together, in bytes. Beyond it, the server drops the oldest messages.',
  },
  redis: {
    group: 'common',
    default: '',
    isSecret: true,
    about:
      'Redis or Valkey server that messages are kept in, as a URL, instead of the data directory: redis://10.0.0.5:6379, rediss:// for TLS (also between servers), redis+sentinel://HOST,HOST/NAME (?sentinelPassword=PASSWORD) or redis+cluster://HOST,HOST. All servers that use it with the same redisPrefix are one Fanfare. Other users of the machine can read flags, so put a password into FANFARE_REDIS.',
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
    about:
      'Rules that say which messages each topic keeps, as JSON: [{"match": "prices/**", "keep": "none"}, …]. See the section on rules.',
  },
  idWindowMs: {
    group: 'storage',
    default: 600_000,
    min: 1_000,
    max: 604_800_000,
    about:
      'How long the server remembers the id of a publish, in milliseconds. In this time, a publish with the same id creates no second message.',
  },
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
