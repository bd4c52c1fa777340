import type { ConnectionLimits } from '../limits/connection-counts.ts';
import type { RateLimitSettings } from '../limits/rate-limits.ts';
import type { LimitKind } from './limit-kind.ts';
import { rateLimitKinds, sharedAddress } from './rate-settings.ts';

/** The settings that are limits for clients. */
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

export const limitKinds: { readonly [K in keyof LimitSettings]: LimitKind } = {
  publishBytesMax: {
    default: 1_048_576,
    min: 1,
    max: 67_108_864,
    about: 'Maximum size of a publish. Over HTTP this is the body, over Socket.IO the message as JSON.',
    limit: {
      unit: 'bytes',
      beyond: 'The publish is refused with `payload_too_large`.',
      why: 'The server handles no other request while it parses a message. One of 1 MiB takes a few milliseconds, and up to 40 if it was made to be slow.',
    },
  },
  batchBytesMax: {
    default: 16_777_216,
    min: 1,
    max: 268_435_456,
    about: 'Maximum body size of a batch (many messages in one request).',
    limit: {
      unit: 'bytes',
      beyond: 'The batch is refused with `payload_too_large`.',
      why: 'The server holds the whole body in memory until it is complete.',
    },
  },
  batchMessagesMax: {
    default: 5_000,
    min: 1,
    max: 100_000,
    about: 'Maximum number of messages in a batch.',
    limit: {
      unit: 'messages',
      beyond: 'The batch is refused with `payload_too_large`.',
      why: 'A batch is admitted and stored in pieces, and its results are held in memory until the last one is stored.',
    },
  },
  topicsMax: {
    default: 100_000,
    min: 1,
    max: 10_000_000,
    about: 'Maximum number of topics.',
    limit: {
      unit: 'topics',
      beyond:
        'A new topic replaces an unused name (PROTOCOL.md 1.9); without one, it is refused with `limit_exceeded`.',
      why: 'A client can make up any number of topics, and each takes a few hundred bytes.',
    },
  },
  unusedTopicsPerSubjectMax: {
    default: 0,
    min: 0,
    max: 10_000_000,
    about:
      'Maximum number of unused names (PROTOCOL.md 1.9) that the server holds for one subject (the `sub` of tokens); 0 means a tenth of topicsMax.',
    limit: {
      unit: 'unused names of one subject',
      beyond: 'The server forgets the oldest unused names of the subject, and refuses nothing.',
      why: 'A client that makes up names loses its own, and not those of others. Clients of an open server have no subject, so the limit does not apply to them.',
    },
  },
  subscriptionsPerConnectionMax: {
    default: 128,
    min: 1,
    max: 1_000_000,
    about: 'Maximum number of subscriptions of one connection.',
    limit: {
      unit: 'subscriptions',
      beyond: 'The subscribe is refused with `limit_exceeded`.',
      why: 'A pattern covers many topics. The SDK opens more connections when it needs them.',
    },
  },
  connectionsMax: {
    group: 'network',
    default: 100_000,
    min: 1,
    max: 10_000_000,
    about:
      'Maximum number of open connections. Socket.IO sessions are counted separately, because a polling session has no connection between its requests. Attached to an app, only sessions are counted.',
    limit: {
      unit: 'connections, and as many sessions',
      beyond: 'A new connection is answered with `limit_exceeded` and closed; a new session is refused.',
      why: 'An idle connection takes a few kilobytes. Most systems let a process open fewer, unless they are configured.',
    },
  },
  connectionsPerAddressMax: {
    group: 'network',
    default: 0,
    min: 0,
    max: 10_000_000,
    about:
      'Maximum number of connections, and of streams, from one address; 0 means no limit. IPv6 addresses with the same first 64 bits count as one. Connections through a proxy that trustProxy names count for the address of their client.',
    limit: {
      unit: 'connections, and as many sessions',
      beyond: 'A new connection or stream is answered with `limit_exceeded`; a new session is refused.',
      why: sharedAddress,
    },
  },
  ...rateLimitKinds,
  loginTimeoutMs: {
    group: 'network',
    default: 10_000,
    min: 100,
    max: 600_000,
    about: 'Login timeout of Socket.IO clients, from opening the connection until the server accepts it.',
    limit: {
      unit: 'milliseconds',
      beyond: 'The connection is closed.',
      why: 'A login takes two round trips. A client that takes longer only occupies a connection.',
    },
  },
  loginBytesMax: {
    default: 16_384,
    min: 256,
    max: 1_048_576,
    about: 'Maximum number of bytes that a Socket.IO connection can send before login.',
    limit: {
      unit: 'bytes',
      beyond: 'The connection is closed.',
      why: 'A login only needs to send a token. The server holds a message in memory until it is complete, in fragments or not.',
    },
  },
  loginsPendingMax: {
    default: 10_000,
    min: 1,
    max: 10_000_000,
    about: 'Maximum number of Socket.IO connections that wait for their login.',
    limit: {
      unit: 'connections',
      beyond: 'The connection that has waited longest is closed.',
      why: 'With `loginBytesMax`, this bounds the bytes of clients before login to 160 MiB. Each connection takes about 10 KB more. A login takes milliseconds, so the longest wait belongs to a client that never logs in.',
    },
  },
  outboxBytesMax: {
    default: 1_048_576,
    min: 1,
    max: 1_073_741_824,
    about: 'Maximum number of bytes that wait for one slow connection.',
    limit: {
      unit: 'bytes',
      beyond:
        'Further messages are read from the log later; of a topic that keeps nothing, they are dropped, and the client gets the event `gap`.',
      why: 'This is enough for a pause of a second. Messages that wait longer cost less in the log.',
    },
  },
  outboxTotalBytesMax: {
    default: 268_435_456,
    min: 1,
    max: 1_099_511_627_776,
    about:
      'Maximum number of bytes that wait for all slow connections together. Socket.IO connections, streams and other HTTP responses are counted separately.',
    limit: {
      unit: 'bytes',
      beyond:
        'Slow connections and streams get further messages from the log later, and large responses to `GET` are refused with `limit_exceeded`. If a message over 64 KiB does not fit for a client that keeps up, the slowest connections are closed.',
      why: 'A thousand clients that do not read must not take all memory.',
    },
  },
  stallTimeoutMs: {
    group: 'network',
    default: 30_000,
    min: 1_000,
    max: 3_600_000,
    about: 'Stall timeout: how long a connection can read nothing while data waits for it.',
    limit: {
      unit: 'milliseconds',
      beyond: 'The connection is closed.',
      why: 'This is as long as a phone is in a tunnel. A client that reconnects misses nothing.',
    },
  },
  requestTimeoutMs: {
    group: 'network',
    default: 30_000,
    min: 1_000,
    max: 600_000,
    about: 'Request timeout: how long a whole HTTP request can take to arrive.',
    limit: {
      unit: 'milliseconds',
      beyond: 'The request is answered with status 408, and its connection is closed.',
      why: 'A batch of 16 MiB arrives in this time over 5 Mbit/s.',
    },
  },
};

/** How many unused names one subject can have: a tenth of all topics if the setting is 0. */
export function unusedTopicsPerSubjectMaxOf({
  topicsMax,
  unusedTopicsPerSubjectMax: max,
}: Pick<LimitSettings, 'topicsMax' | 'unusedTopicsPerSubjectMax'>): number {
  return max > 0 ? max : Math.ceil(topicsMax / 10);
}
