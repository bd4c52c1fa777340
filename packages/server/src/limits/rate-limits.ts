import { FanfareError } from '@fanfare/protocol';
import { addressKey } from './address-key.ts';

/** Who asks for something. What is not known of it is not limited. */
export interface Source {
  readonly connection?: object | undefined;
  readonly subject?: string | undefined;
  readonly address?: string | undefined;
}

/** How many a second may come from one connection, of one subject, from one address; 0, or none, is no limit. */
export interface RateSettings {
  readonly connection?: number;
  readonly subject?: number;
  readonly address?: number;
}

export interface RateLimitsOptions {
  readonly publish: RateSettings;
  readonly subscribe: RateSettings;
  /** A clock that never goes back, in milliseconds. */
  readonly monotonicMs: () => number;
}

/** How many may be taken: the whole of it is decided at once, and in the same turn. */
export class RateLimits {
  readonly #publish: RateLimit;
  readonly #subscribe: RateLimit;

  constructor({ publish, subscribe, monotonicMs }: RateLimitsOptions) {
    this.#publish = new RateLimit('publishes', publish, monotonicMs);
    this.#subscribe = new RateLimit('subscribes', subscribe, monotonicMs);
  }

  /**
   * @param messages - how many are published at once
   * @throws FanfareError `rate_limited`; nothing was taken then
   */
  takePublish(source: Source, messages = 1): void {
    this.#publish.take(source, messages);
  }

  /**
   * Whether not even one may be taken, before anything is spent on how many they are. As that is not known, the time that is
   * told is enough for however many.
   *
   * @throws FanfareError `rate_limited`
   */
  checkPublish(source: Source): void {
    this.#publish.check(source, 1, Infinity);
  }

  /** @throws FanfareError `rate_limited`; nothing was taken then */
  takeSubscribe(source: Source): void {
    this.#subscribe.take(source, 1);
  }
}

/** The settings of docs/configuration.md that are about rates. */
export interface RateLimitSettings {
  readonly publishRatePerConnectionMax: number;
  readonly publishRatePerSubjectMax: number;
  readonly publishRatePerAddressMax: number;
  readonly subscribeRatePerConnectionMax: number;
  readonly subscribeRatePerSubjectMax: number;
  readonly subscribeRatePerAddressMax: number;
}

export function rateLimitsOf(settings: RateLimitSettings, monotonicMs: () => number): RateLimits {
  return new RateLimits({
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
    monotonicMs,
  });
}

/** One thing that is limited, by everything that its source is known by. */
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
   * @param wanted - how many are to be taken once that is possible
   * @returns the time that it is true of
   */
  check(source: Source, count: number, wanted = count): number {
    if (this.#buckets.length === 0) return 0;
    const now = this.#monotonicMs();
    // What one of them refuses is taken from none.
    if (this.#waitMs(source, count, now) > 0)
      throw rateLimited(this.#what, this.#waitMs(source, wanted, now));
    return now;
  }

  #waitMs(source: Source, count: number, now: number): number {
    return Math.max(...this.#buckets.map((buckets) => buckets.waitMs(source, count, now)));
  }
}

/** The token buckets of all connections, say. */
interface SourceBuckets {
  /** In how many milliseconds so many may be taken; 0 when they may now. */
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

/** When the bucket of each will be full again; one that is not there is full. */
interface FullAt<Key> {
  get(key: Key): number | undefined;
  set(key: Key, fullAtMs: number): unknown;
}

/**
 * Token buckets that hold what comes in a second. More than that at once is let through when the bucket is full, and
 * takes as long to be made up for: else a large batch could never be published.
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

/** How many addresses, or subjects, are remembered at the least. */
const keysMax = 32_768;

/** Remembers those that came last, up to twice `keysMax`: who is forgotten may take as if it had never come. */
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
  // What is due a fraction of a millisecond later would be refused once more.
  const retryAfterMs = Math.ceil(waitMs);
  const detail = `There were too many ${what}. Try again in ${retryAfterMs} ms; nothing was done.`;
  return new FanfareError('rate_limited', detail, { retryAfterMs });
}
