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

interface SettingKind<T extends SettingValue> {
  readonly default: T;
  /** One sentence for people. */
  readonly about: string;
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
  host: { default: '127.0.0.1', about: 'The address to listen on. Any but a loopback address needs --open.' },
  port: {
    default: 5000,
    min: 0,
    max: 65_535,
    alsoEnv: 'PORT',
    about: 'The port to listen on; 0 takes any that is free.',
  },
  open: {
    default: false,
    about:
      'Listen on an address that others can reach, though anybody who does may read and publish everything.',
  },
  origins: {
    default: '',
    about:
      'Web pages that may connect, publish and read beside those that the server itself serves: their origins, exactly as browsers send them, with commas between them (https://app.example, http://localhost:5173).',
  },
  key: {
    default: '',
    isSecret: true,
    about:
      'With a key, clients need a token that is signed with it: a secret of at least 32 bytes, a public key as PEM, or a JWK or set of them as JSON. A flag can be read by other users of the machine: better keyFile.',
  },
  keyFile: { default: '', about: 'A file that has what key takes. It is read again when it changes.' },
  keyAlgorithm: {
    default: '',
    about:
      'What a secret or PEM key is for, and nothing else: HS256, HS384, HS512, RS256, PS256, ES256 or EdDSA. Without it HS256, RS256, ES256 or EdDSA, whichever fits. A JWK says so itself, as alg.',
  },
  jwksUrl: {
    default: '',
    about:
      'A URL that has a set of JWKs, such as that of an identity provider. Keys of a set that cannot be used are left out. It is asked when the first token comes, every 10 minutes, and when a token names a key that it did not have; not more often than every 30 seconds, or every 5 while it does not answer.',
  },
  audience: {
    default: '',
    about:
      'What tokens must name as aud. Without it, tokens that have an aud are meant for others, and refused.',
  },
  issuer: { default: '', about: 'What tokens must have as iss, to the character. Without it, any or none.' },
  tokenLifetimeMsMax: {
    default: 0,
    min: 0,
    max: 3_155_760_000_000,
    about:
      'How long tokens may last from their iat, which they need then, to their exp, in milliseconds; 0 is as long as they say. Longer ones are refused. A revoked subject is remembered for so long, and with 0 for good.',
  },
  data: {
    default: 'fanfare-data',
    about:
      'The directory in which messages are kept. It is made if it is not there, and is for one server at a time.',
  },
  allowNetworkStorage: {
    default: false,
    about:
      'Keep messages on network storage (NFS, SMB, FUSE, …), too. Without it, the server refuses such a directory: it cannot always tell whether another machine writes there.',
  },
  memory: {
    default: false,
    about: 'Keep messages in memory instead: nothing is left of them when the server ends.',
  },
  memoryBytesMax: {
    default: 268_435_456,
    min: 1_048_576,
    max: 1_099_511_627_776,
    about: 'With memory: how many bytes all messages together may take. The oldest go when it is more.',
  },
  rules: {
    default: [],
    about:
      'What is kept of which topics, as JSON: [{"match": "prices/**", "keep": "none"}, …]. See the section on rules.',
  },
  idWindowMs: {
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

/** Whether clients need a token. */
export function hasKey({ key, keyFile, jwksUrl }: Settings): boolean {
  return key !== '' || keyFile !== '' || jwksUrl !== '';
}
