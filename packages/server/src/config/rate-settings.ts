import type { RateLimitSettings } from '../limits/rate-limits.ts';
import type { LimitKind } from './limit-kind.ts';

const rateMax = 10_000_000;

/** The reason why limits for an address are off by default. */
export const sharedAddress =
  'Off by default: behind a proxy that `trustProxy` does not name, and on a single machine, all clients share one address. Set it where clients connect directly.';

const sharedSubject =
  'Off by default: a subject may be a person with one device, or a service with a hundred processes.';

const tooManyPublishes = 'The publish is refused with `rate_limited`, which says when to retry.';

const tooManySubscribes = 'The subscribe is refused with `rate_limited`, which says when to retry.';

/** The settings that limit how often clients can publish and subscribe. */
export const rateLimitKinds: { readonly [K in keyof RateLimitSettings]: LimitKind } = {
  publishRatePerConnectionMax: {
    default: 0,
    min: 0,
    max: rateMax,
    about: 'Maximum number of messages that one connection can publish in a second; 0 means no limit.',
    limit: {
      unit: 'messages per second',
      beyond: tooManyPublishes,
      why: 'Off by default: a connection may be a whole backend, and the server refuses what its disk cannot take in any case.',
    },
  },
  publishRatePerSubjectMax: {
    default: 0,
    min: 0,
    max: rateMax,
    about:
      'Maximum number of messages that one subject (the `sub` of tokens) can publish in a second, over all its connections; 0 means no limit.',
    limit: { unit: 'messages per second', beyond: tooManyPublishes, why: sharedSubject },
  },
  publishRatePerAddressMax: {
    default: 0,
    min: 0,
    max: rateMax,
    about:
      'Maximum number of messages that one address can publish in a second, over HTTP and Socket.IO together; 0 means no limit.',
    limit: { unit: 'messages per second', beyond: tooManyPublishes, why: sharedAddress },
  },
  subscribeRatePerConnectionMax: {
    default: 1_000,
    min: 0,
    max: rateMax,
    about: 'Maximum number of subscribes of one connection in a second; 0 means no limit.',
    limit: {
      unit: 'subscribes per second',
      beyond: tooManySubscribes,
      why: 'A client that reconnects makes all of its 128 subscriptions at once, and no client needs many times that. A subscribe may be a write to the disk.',
    },
  },
  subscribeRatePerSubjectMax: {
    default: 0,
    min: 0,
    max: rateMax,
    about:
      'Maximum number of subscribes of one subject in a second, over all its connections; 0 means no limit. Opening a stream counts as a subscribe.',
    limit: { unit: 'subscribes per second', beyond: tooManySubscribes, why: sharedSubject },
  },
  subscribeRatePerAddressMax: {
    default: 0,
    min: 0,
    max: rateMax,
    about:
      'Maximum number of subscribes from one address in a second; 0 means no limit. Opening a stream counts as a subscribe.',
    limit: { unit: 'subscribes per second', beyond: tooManySubscribes, why: sharedAddress },
  },
};
