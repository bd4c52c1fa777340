import { limitKinds, type Limit, type LimitSettings } from './limits.ts';
import type { RuleSetting } from './rules.ts';

export { defaultKeep } from './rules.ts';
export { fixedLimits } from '../limits/fixed-limits.ts';

/**
 * Every setting of the server, once: what it is called, its type and bounds, and what it is for. The flags,
 * the environment variables, the file and docs/configuration.md all come from here.
 */
export interface Settings extends LimitSettings {
  readonly host: string;
  readonly port: number;
  readonly open: boolean;
  readonly origins: string;
  readonly trustProxy: string | number;
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
  readonly rules: readonly RuleSetting[];
  readonly idWindowMs: number;
}

export type SettingValue = string | number | boolean | readonly RuleSetting[];

export type SettingGroup = 'common' | 'storage' | 'access' | 'limits' | 'network';

interface SettingKind<T extends SettingValue> {
  readonly default: T;
  /** For people. The first sentence is enough for the help of `fanfare serve`. */
  readonly about: string;
  /** Where help has it; a limit is among the limits without. */
  readonly group?: SettingGroup;
  readonly min?: number;
  readonly max?: number;
  /** An environment variable beside `FANFARE_…`, for what the world has another name for. */
  readonly alsoEnv?: string;
  /** Whether it is shown to nobody, not even to say that it is wrong. */
  readonly isSecret?: boolean;
  /** There when it bounds what clients can make the server do. */
  readonly limit?: Limit;
}

export const settingKinds: { readonly [K in keyof Settings]: SettingKind<Settings[K]> } = {
  host: {
    group: 'common',
    default: '127.0.0.1',
    about: 'The address to listen on. Any but a loopback address needs --open.',
  },
  port: {
    group: 'common',
    default: 5000,
    min: 0,
    max: 65_535,
    alsoEnv: 'PORT',
    about: 'The port to listen on; 0 takes any that is free.',
  },
  open: {
    group: 'common',
    default: false,
    about:
      'Listen on an address that others can reach, though anybody who does may read and publish everything.',
  },
  origins: {
    group: 'access',
    default: '',
    about:
      'Web pages that may connect, publish and read beside those that the server itself serves: their origins, exactly as browsers send them, with commas between them (https://app.example, http://localhost:5173).',
  },
  trustProxy: {
    group: 'network',
    default: '',
    about:
      'The proxies whose X-Forwarded-For is believed: their addresses and networks with commas between them (127.0.0.1, 10.0.0.0/8), or how many proxies every request passes. Limits, logs and /connections have the address of the client then.',
  },
  key: {
    group: 'access',
    default: '',
    isSecret: true,
    about:
      'With a key, clients need a token that is signed with it: a secret of at least 32 bytes, a public key as PEM, or a JWK or set of them as JSON. A flag can be read by other users of the machine: better keyFile.',
  },
  keyFile: {
    group: 'common',
    default: '',
    about:
      'A file with a key, so that clients need tokens. It has what key takes, and is read again when it changes.',
  },
  keyAlgorithm: {
    group: 'access',
    default: '',
    about:
      'What a secret or PEM key is for, and nothing else: HS256, HS384, HS512, RS256, PS256, ES256 or EdDSA. Without it HS256, RS256, ES256 or EdDSA, whichever fits. A JWK says so itself, as alg.',
  },
  jwksUrl: {
    group: 'access',
    default: '',
    about:
      'A URL that has a set of JWKs, such as that of an identity provider. Keys of a set that cannot be used are left out. It is asked when the first token comes, every 10 minutes, and when a token names a key that it did not have; not more often than every 30 seconds, or every 5 while it does not answer.',
  },
  audience: {
    group: 'access',
    default: '',
    about:
      'What tokens must name as aud. Without it, tokens that have an aud are meant for others, and refused.',
  },
  issuer: {
    group: 'access',
    default: '',
    about: 'What tokens must have as iss, to the character. Without it, any or none.',
  },
  tokenLifetimeMsMax: {
    group: 'access',
    default: 0,
    min: 0,
    max: 3_155_760_000_000,
    about:
      'How long tokens may last from their iat, which they need then, to their exp, in milliseconds; 0 is as long as they say. Longer ones are refused. A revoked subject is remembered for so long, and with 0 for good.',
  },
  data: {
    group: 'common',
    default: 'fanfare-data',
    about:
      'The directory in which messages are kept. It is made if it is not there, and is for one server at a time.',
  },
  allowNetworkStorage: {
    group: 'storage',
    default: false,
    about:
      'Keep messages on network storage (NFS, SMB, FUSE, …), too. Without it, the server refuses such a directory: it cannot always tell whether another machine writes there.',
  },
  memory: {
    group: 'common',
    default: false,
    about: 'Keep messages in memory instead: nothing is left of them when the server ends.',
  },
  memoryBytesMax: {
    group: 'storage',
    default: 268_435_456,
    min: 1_048_576,
    max: 1_099_511_627_776,
    about: 'With memory: how many bytes all messages together may take. The oldest go when it is more.',
  },
  rules: {
    group: 'storage',
    default: [],
    about:
      'What is kept of which topics, as JSON: [{"match": "prices/**", "keep": "none"}, …]. See the section on rules.',
  },
  idWindowMs: {
    group: 'storage',
    default: 600_000,
    min: 1_000,
    max: 604_800_000,
    about: 'For how long publishing again with the same id makes no second message, in milliseconds.',
  },
  ...limitKinds,
};

export const settingNames: readonly (keyof Settings)[] = Object.keys(settingKinds) as (keyof Settings)[];

/** `publishBytesMax` → `--publish-bytes-max` */
export function flagOf(name: keyof Settings): string {
  return `--${words(name).join('-')}`;
}

/** `port` → `FANFARE_PORT`, `PORT`: the environment variables of a setting, the strongest first. */
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
