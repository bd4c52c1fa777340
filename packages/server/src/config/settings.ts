import type { RuleSetting } from './rules.ts';

export { defaultKeep } from './rules.ts';

/**
 * Every setting of the server, once: what it is called, its type and bounds, and what it is for. The flags,
 * the environment variables, the file and docs/configuration.md all come from here.
 */
export interface Settings {
  readonly host: string;
  readonly port: number;
  readonly open: boolean;
  readonly origins: string;
  readonly key: string;
  readonly keyFile: string;
  readonly keyAlgorithm: string;
  readonly jwksUrl: string;
  readonly audience: string;
  readonly data: string;
  readonly memory: boolean;
  readonly memoryBytesMax: number;
  readonly rules: readonly RuleSetting[];
  readonly idWindowMs: number;
  readonly publishBytesMax: number;
  readonly batchBytesMax: number;
  readonly batchMessagesMax: number;
  readonly topicsMax: number;
  readonly subscriptionsPerConnectionMax: number;
  readonly outboxBytesMax: number;
  readonly outboxTotalBytesMax: number;
  readonly stallTimeoutMs: number;
  readonly requestTimeoutMs: number;
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
      'A URL that has a set of JWKs, such as that of an identity provider. It is asked when the first token comes, and every 10 minutes.',
  },
  audience: {
    default: '',
    about:
      'What tokens must name as aud. Without it, tokens that have an aud are meant for others, and refused.',
  },
  data: {
    default: 'fanfare-data',
    about:
      'The directory in which messages are kept. It is made if it is not there, and is for one server at a time.',
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
  publishBytesMax: {
    default: 1_048_576,
    min: 1,
    max: 67_108_864,
    about: 'The largest publish, in bytes: the body over HTTP, the message as JSON over Socket.IO.',
  },
  batchBytesMax: {
    default: 16_777_216,
    min: 1,
    max: 268_435_456,
    about: 'The largest body, in bytes, that publishes many messages at once.',
  },
  batchMessagesMax: {
    default: 5_000,
    min: 1,
    max: 100_000,
    about: 'How many messages may be published at once.',
  },
  topicsMax: {
    default: 100_000,
    min: 1,
    max: 10_000_000,
    about: 'How many topics may exist. Each takes some memory until it is deleted.',
  },
  subscriptionsPerConnectionMax: {
    default: 128,
    min: 1,
    max: 1_000_000,
    about: 'How many subscriptions one connection may have.',
  },
  outboxBytesMax: {
    default: 1_048_576,
    min: 1,
    max: 1_073_741_824,
    about:
      'How many bytes may wait for one connection that does not take them. What is more is read from the log later; where nothing is kept, it is dropped, and the client is told.',
  },
  outboxTotalBytesMax: {
    default: 268_435_456,
    min: 1,
    max: 1_099_511_627_776,
    about: 'How many bytes may wait for all connections together.',
  },
  stallTimeoutMs: {
    default: 30_000,
    min: 1_000,
    max: 3_600_000,
    about:
      'How long a connection that something waits for may take nothing, in milliseconds, before it is ended.',
  },
  requestTimeoutMs: {
    default: 30_000,
    min: 1_000,
    max: 600_000,
    about: 'How long an HTTP request may take to arrive whole, in milliseconds.',
  },
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
