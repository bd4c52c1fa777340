import type { ConnectionLimits } from '../limits/connection-counts.ts';
import type { RateLimitSettings } from '../limits/rate-limits.ts';

/** What a limit counts, and why it is there and as high as it is: docs/configuration.md is written from both. */
export interface Limit {
  readonly unit: string;
  readonly why: string;
}

/** The settings that bound what clients can make the server do. */
export interface LimitSettings extends ConnectionLimits, RateLimitSettings {
  readonly publishBytesMax: number;
  readonly batchBytesMax: number;
  readonly batchMessagesMax: number;
  readonly topicsMax: number;
  readonly unusedTopicsPerSubjectMax: number;
  readonly subscriptionsPerConnectionMax: number;
  readonly loginTimeoutMs: number;
  readonly loginBytesMax: number;
  readonly loginsPendingMax: number;
  readonly outboxBytesMax: number;
  readonly outboxTotalBytesMax: number;
  readonly stallTimeoutMs: number;
  readonly requestTimeoutMs: number;
}

interface LimitKind {
  readonly default: number;
  readonly about: string;
  readonly min: number;
  readonly max: number;
  readonly group?: 'network';
  readonly limit: Limit;
}

const rateMax = 10_000_000;

const sharedAddress =
  'Off by default: behind a proxy that trustProxy does not name, and on one machine, all clients have one address. Set it where clients come directly.';

const sharedSubject =
  'Off by default: a subject may be a person with one device, or a service with a hundred processes.';

export const limitKinds: { readonly [K in keyof LimitSettings]: LimitKind } = {
  publishBytesMax: {
    default: 1_048_576,
    min: 1,
    max: 67_108_864,
    about: 'The largest publish, in bytes: the body over HTTP, the message as JSON over Socket.IO.',
    limit: {
      unit: 'bytes',
      why: 'Parsing one of a mebibyte takes a few milliseconds, in which nobody else is served, and up to some forty when it is made to.',
    },
  },
  batchBytesMax: {
    default: 16_777_216,
    min: 1,
    max: 268_435_456,
    about: 'The largest body, in bytes, that publishes many messages at once.',
    limit: { unit: 'bytes', why: 'It is in memory as a whole until all of it has come.' },
  },
  batchMessagesMax: {
    default: 5_000,
    min: 1,
    max: 100_000,
    about: 'How many messages may be published at once.',
    limit: { unit: 'messages', why: 'They are one commit, which others wait for.' },
  },
  topicsMax: {
    default: 100_000,
    min: 1,
    max: 10_000_000,
    about:
      'How many topics may exist. When there is no room for a new one, it takes the place of an unused name (PROTOCOL.md 1.9).',
    limit: { unit: 'topics', why: 'A client can name as many as it likes; each takes some hundred bytes.' },
  },
  unusedTopicsPerSubjectMax: {
    default: 0,
    min: 0,
    max: 10_000_000,
    about:
      'How many unused names (PROTOCOL.md 1.9) the server holds for one subject (the `sub` of tokens). Over it, the server forgets the oldest of them; it refuses none. 0 is a tenth of topicsMax.',
    limit: {
      unit: 'unused names of one subject',
      why: 'A client that makes up names loses its own, and not those of others. An open server has no such limit: a whole classroom can share one address.',
    },
  },
  subscriptionsPerConnectionMax: {
    default: 128,
    min: 1,
    max: 1_000_000,
    about: 'How many subscriptions one connection may have.',
    limit: {
      unit: 'subscriptions',
      why: 'A pattern stands for many topics; the SDK opens more connections.',
    },
  },
  connectionsMax: {
    group: 'network',
    default: 100_000,
    min: 1,
    max: 10_000_000,
    about:
      'How many connections may be open. Socket.IO sessions are counted for themselves: one that polls has no connection between its requests. Attached to an app, only sessions are counted.',
    limit: {
      unit: 'connections, and as many sessions',
      why: 'An idle one takes some kilobytes. More than most systems let a process open without being told to.',
    },
  },
  connectionsPerAddressMax: {
    group: 'network',
    default: 0,
    min: 0,
    max: 10_000_000,
    about:
      'How many of them, and how many streams, may come from one address (of IPv6, from the same first 64 bits); 0 is no limit. Connections of a proxy that trustProxy names are counted by their clients.',
    limit: { unit: 'connections, and as many sessions', why: sharedAddress },
  },
  publishRatePerConnectionMax: {
    default: 0,
    min: 0,
    max: rateMax,
    about: 'How many messages one connection may publish in a second; 0 is no limit.',
    limit: {
      unit: 'messages per second',
      why: 'Off by default: a connection may be a whole backend, and what the disk does not take is refused anyhow.',
    },
  },
  publishRatePerSubjectMax: {
    default: 0,
    min: 0,
    max: rateMax,
    about:
      'How many messages one subject (the `sub` of tokens) may publish in a second, over however many connections; 0 is no limit.',
    limit: { unit: 'messages per second', why: sharedSubject },
  },
  publishRatePerAddressMax: {
    default: 0,
    min: 0,
    max: rateMax,
    about: 'How many messages may be published from one address in a second, whichever way; 0 is no limit.',
    limit: { unit: 'messages per second', why: sharedAddress },
  },
  subscribeRatePerConnectionMax: {
    default: 1_000,
    min: 0,
    max: rateMax,
    about: 'How often one connection may subscribe in a second; 0 is no limit.',
    limit: {
      unit: 'subscribes per second',
      why: 'One that comes again makes all of its 128 at once, and none needs many times that. A subscribe may be a write to the disk.',
    },
  },
  subscribeRatePerSubjectMax: {
    default: 0,
    min: 0,
    max: rateMax,
    about:
      'How often one subject may subscribe in a second, over however many connections, opened streams among them; 0 is no limit.',
    limit: { unit: 'subscribes per second', why: sharedSubject },
  },
  subscribeRatePerAddressMax: {
    default: 0,
    min: 0,
    max: rateMax,
    about:
      'How many subscribes may come from one address in a second, opened streams among them; 0 is no limit.',
    limit: { unit: 'subscribes per second', why: sharedAddress },
  },
  loginTimeoutMs: {
    group: 'network',
    default: 10_000,
    min: 100,
    max: 600_000,
    about:
      'How long a Socket.IO client may take from opening a connection until it is let in, in milliseconds.',
    limit: {
      unit: 'milliseconds',
      why: 'It takes two round trips; who takes longer only holds a connection.',
    },
  },
  loginBytesMax: {
    default: 16_384,
    min: 256,
    max: 1_048_576,
    about: 'How many bytes a Socket.IO connection may send before it is let in. Over it, it is closed.',
    limit: {
      unit: 'bytes',
      why: 'All that it has to say is a token. In fragments or not, it is kept until it is whole.',
    },
  },
  loginsPendingMax: {
    default: 10_000,
    min: 1,
    max: 10_000_000,
    about:
      'How many Socket.IO connections may be waiting to be let in. One more closes the one that has waited longest.',
    limit: {
      unit: 'connections',
      why: 'Together with loginBytesMax it bounds the bytes of clients before login, to 160 MiB; each takes some 10 KB beside. A client that really wants in waits for milliseconds, so the longest wait is a stranger’s.',
    },
  },
  outboxBytesMax: {
    default: 1_048_576,
    min: 1,
    max: 1_073_741_824,
    about:
      'How many bytes may wait for one connection that does not take them. What is more is read from the log later; where nothing is kept, it is dropped, and the client is told.',
    limit: {
      unit: 'bytes',
      why: 'Enough for a pause of a second; what waits longer waits better in the log.',
    },
  },
  outboxTotalBytesMax: {
    default: 268_435_456,
    min: 1,
    max: 1_099_511_627_776,
    about: 'How many bytes may wait for all connections together.',
    limit: { unit: 'bytes', why: 'A thousand clients that do not read must not take all memory.' },
  },
  stallTimeoutMs: {
    group: 'network',
    default: 30_000,
    min: 1_000,
    max: 3_600_000,
    about:
      'How long a connection that something waits for may take nothing, in milliseconds, before it is ended.',
    limit: {
      unit: 'milliseconds',
      why: 'As long as a phone in a tunnel; a client that comes again misses nothing.',
    },
  },
  requestTimeoutMs: {
    group: 'network',
    default: 30_000,
    min: 1_000,
    max: 600_000,
    about: 'How long an HTTP request may take to arrive whole, in milliseconds.',
    limit: { unit: 'milliseconds', why: 'A batch of 16 MiB arrives in it over 5 Mbit/s.' },
  },
};

export function unusedTopicsPerSubjectMaxOf({
  topicsMax,
  unusedTopicsPerSubjectMax: max,
}: Pick<LimitSettings, 'topicsMax' | 'unusedTopicsPerSubjectMax'>): number {
  return max > 0 ? max : Math.ceil(topicsMax / 10);
}
