import { FanfareError } from '@fanfare/protocol';
import { addressKey } from './address-key.ts';

/** The source of a request. A part that is unknown is not limited. */
export interface Source {
  readonly connection?: object | undefined;
  readonly subject?: string | undefined;
  readonly address?: string | undefined;
}

/**
 * The maximum rates, in requests per second, of a connection, a subject and an address. 0 or undefined means
 * no limit.
 */
export interface RateSettings {
  readonly connection?: number;
  readonly subject?: number;
  readonly address?: number;
}

export interface RateLimitsOptions {
  readonly publish: RateSettings;
  readonly subscribe: RateSettings;
  /** A monotonic clock, in milliseconds. */
  readonly monotonicMs: () => number;
}

/**
 * Limits the rates of publishes and subscribes. A decision is synchronous, and covers all sources of a
 * request.
 */
export class RateLimits {
  readonly #monotonicMs: () => number;
  #publish: RateLimit;
  #subscribe: RateLimit;

  constructor({ publish, subscribe, monotonicMs }: RateLimitsOptions) {
    this.#monotonicMs = monotonicMs;
    this.#publish = new RateLimit('publishes', publish, monotonicMs);
    this.#subscribe = new RateLimit('subscribes', subscribe, monotonicMs);
  }

  /** Replaces the rates. All buckets are full then. */
  change({ publish, subscribe }: Pick<RateLimitsOptions, 'publish' | 'subscribe'>): void {
    this.#publish = new RateLimit('publishes', publish, this.#monotonicMs);
    this.#subscribe = new RateLimit('subscribes', subscribe, this.#monotonicMs);
  }

  /**
   * Takes tokens for a publish.
   *
   * @param messages - the number of messages in the publish
   * @throws FanfareError `rate_limited`; then nothing was taken
   */
  takePublish(source: Source, messages = 1): void {
    this.#publish.take(source, messages);
  }

  /**
   * Checks whether at least one publish is allowed, before the server spends time on counting the messages of
   * a batch. Their number is not known yet, so `retryAfterMs` is long enough for any number.
   *
   * @throws FanfareError `rate_limited`
   */
  checkPublish(source: Source): void {
    this.#publish.check(source, 1, Infinity);
  }

  /** Takes a token for a subscribe. @throws FanfareError `rate_limited`; then nothing was taken */
  takeSubscribe(source: Source): void {
    this.#subscribe.take(source, 1);
  }
}

/** The settings that limit rates (docs/configuration.md). */
export interface RateLimitSettings {
  readonly publishRatePerConnectionMax: number;
  readonly publishRatePerSubjectMax: number;
  readonly publishRatePerAddressMax: number;
  readonly subscribeRatePerConnectionMax: number;
  readonly subscribeRatePerSubjectMax: number;
  readonly subscribeRatePerAddressMax: number;
}

export function ratesOf(settings: RateLimitSettings): Pick<RateLimitsOptions, 'publish' | 'subscribe'> {
  return {
    publish: {
      connection: settings.publishRatePerConnectionMax,
      subject: settings.publishRatePerSubjectMax,
      address: settings.publishRatePerAddressMax,
    },
    subscribe: {
      connection: settings.subscribeRatePerConnectionMax,
      subject: settings.subscribeRatePerSubjectMax,
      address: settings.subscribeRatePerAddressMax,
    },
  };
}

/** Limits one kind of request, by connection, subject and address. */
class RateLimit {
  readonly #what: string;
  readonly #monotonicMs: () => number;
  readonly #buckets: readonly SourceBuckets[];

  constructor(what: string, settings: RateSettings, monotonicMs: () => number) {
    this.#what = what;
    this.#monotonicMs = monotonicMs;
    this.#buckets = bucketsFor(settings);
  }

  take(source: Source, count: number): void {
    if (count === 0) return;
    const now = this.check(source, count);
    for (const buckets of this.#buckets) buckets.take(source, count, now);
  }

  /**
   * Checks whether tokens can be taken.
   *
   * @param wanted - the number of tokens to take later; `retryAfterMs` is for this number
   * @returns the time of the check
   */
  check(source: Source, count: number, wanted = count): number {
    if (this.#buckets.length === 0) return 0;
    const now = this.#monotonicMs();
    // If one bucket refuses, nothing is taken from the others.
    if (this.#waitMs(source, count, now) > 0)
      throw rateLimited(this.#what, this.#waitMs(source, wanted, now));
    return now;
  }

  #waitMs(source: Source, count: number, now: number): number {
    return Math.max(...this.#buckets.map((buckets) => buckets.waitMs(source, count, now)));
  }
}

/** The token buckets of all sources of one kind, such as all connections. */
interface SourceBuckets {
  /** The time until the tokens can be taken, in milliseconds; 0 if they can be taken now. */
  waitMs(source: Source, count: number, now: number): number;
  take(source: Source, count: number, now: number): void;
}

function bucketsFor({ connection = 0, subject = 0, address = 0 }: RateSettings): readonly SourceBuckets[] {
  return [
    ...(connection > 0 ? [new Buckets(connection, (one) => one.connection, new WeakMap())] : []),
    ...(subject > 0 ? [new Buckets(subject, (one) => one.subject, new RecentTimes())] : []),
    ...(address > 0 ? [new Buckets(address, keyOfAddress, new RecentTimes())] : []),
  ];
}

function keyOfAddress({ address }: Source): string | undefined {
  return address === undefined ? undefined : addressKey(address);
}

/** The times at which the buckets of sources are full again. The bucket of an unknown source is full. */
interface FullAt<Key> {
  get(key: Key): number | undefined;
  set(key: Key, fullAtMs: number): unknown;
}

/**
 * Token buckets that hold the tokens of one second. From a full bucket, more tokens can be taken at once.
 * Then it refills for longer. Otherwise a large batch could never be published.
 */
class Buckets<Key> implements SourceBuckets {
  readonly #perSecond: number;
  readonly #keyOf: (source: Source) => Key | undefined;
  readonly #fullAt: FullAt<Key>;

  constructor(perSecond: number, keyOf: (source: Source) => Key | undefined, fullAt: FullAt<Key>) {
    this.#perSecond = perSecond;
    this.#keyOf = keyOf;
    this.#fullAt = fullAt;
  }

  waitMs(source: Source, count: number, now: number): number {
    const key = this.#keyOf(source);
    if (key === undefined) return 0;
    const emptyMs = Math.max(0, (this.#fullAt.get(key) ?? 0) - now);
    return Math.max(0, emptyMs + this.#msOf(Math.min(count, this.#perSecond)) - 1_000);
  }

  take(source: Source, count: number, now: number): void {
    const key = this.#keyOf(source);
    if (key === undefined) return;
    this.#fullAt.set(key, Math.max(this.#fullAt.get(key) ?? 0, now) + this.#msOf(count));
  }

  #msOf(count: number): number {
    return (count * 1_000) / this.#perSecond;
  }
}

/** Minimum number of remembered addresses or subjects. */
const keysMax = 32_768;

/**
 * Remembers the most recent sources, up to twice `keysMax`. A source that was forgotten starts with a full
 * bucket.
 */
class RecentTimes implements FullAt<string> {
  #young = new Map<string, number>();
  #old = new Map<string, number>();

  get(key: string): number | undefined {
    return this.#young.get(key) ?? this.#old.get(key);
  }

  set(key: string, fullAtMs: number): void {
    if (this.#young.size >= keysMax && !this.#young.has(key)) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(key, fullAtMs);
  }
}

function rateLimited(what: string, waitMs: number): FanfareError {
  // The time is rounded up. Otherwise a client that retries would be refused again, a fraction of a
  // millisecond too early.
  const retryAfterMs = Math.ceil(waitMs);
  const detail = `Too many ${what}: nothing was done. Retry in ${retryAfterMs} ms.`;
  return new FanfareError('rate_limited', detail, { retryAfterMs });
}
