import { FanfareError } from '@fanfare/protocol';
import { fixedLimits } from '../limits/fixed-limits.ts';
import type { RevocationStore } from '../log/topic-log.ts';
import { skewSeconds } from './claims.ts';
import type { Identity } from './identity.ts';

export interface RevocationsOptions {
  readonly store: RevocationStore;
  /** How long a token may last from when it was issued, in milliseconds; undefined when nobody knows. */
  readonly tokenLifetimeMsMax: number | undefined;
  /** The wall clock, in milliseconds since 1970. */
  readonly now: () => number;
}

const { value: revocationsMax } = fixedLimits.revocationsMax;

/** How many tokens are remembered that come from a clock that is ahead, which each is for a minute at most. */
const aheadMax = 10_000;

/** Which tokens of a subject count no more. */
interface Revoked {
  /** Those that were issued up to then. */
  readonly time: number;
  /** Those that were issued later by their own clock, and had been seen before. */
  readonly ahead: ReadonlySet<number>;
}

/**
 * Which tokens count no more, over a restart too. A revocation is kept until the longest token that it can concern has ended:
 * for good where nobody knows how long tokens last.
 */
export class Revocations {
  readonly #options: RevocationsOptions;
  readonly #revoked: Map<string, Revoked>;
  /** Tokens that were seen before the time at which they were issued, by subject and that time. */
  readonly #ahead = new Map<string, Identity>();

  constructor(options: RevocationsOptions) {
    this.#options = options;
    this.#revoked = new Map(
      options.store.revocations.map(({ subject, time, ahead }) => [subject, { time, ahead: new Set(ahead) }]),
    );
  }

  /** A time in a token is in whole seconds, as a rule: one of the same second counts as issued before. */
  concerns({ subject, issuedAt }: Identity): boolean {
    const revoked = subject === undefined ? undefined : this.#revoked.get(subject);
    return revoked !== undefined && (issuedAt <= revoked.time || revoked.ahead.has(issuedAt));
  }

  /** Notes that a token was seen. A clock that is ahead gives it no life beyond a revocation that comes after that. */
  noteSeen(identity: Identity): void {
    const { subject, issuedAt } = identity;
    const now = this.#options.now();
    if (subject === undefined || issuedAt <= now) return;
    this.#ahead.set(`${issuedAt} ${subject}`, identity);
    // Those that were seen first are in the past first, as a rule.
    for (const [seen, first] of this.#ahead) {
      if (first.issuedAt > now && this.#ahead.size <= aheadMax) return;
      this.#ahead.delete(seen);
    }
  }

  /**
   * From now on no token counts that a subject was issued before. {@link keep} has to follow.
   *
   * @returns the time, in milliseconds since 1970
   * @throws FanfareError `limit_exceeded`
   */
  add(subject: string): number {
    this.#forgetEnded();
    const before = this.#revoked.get(subject);
    if (!before && this.#revoked.size >= revocationsMax) throw tooMany();
    const time = this.#options.now();
    const seen = [...this.#ahead.values()].filter((identity) => identity.subject === subject);
    const ahead = [...(before?.ahead ?? []), ...seen.map(({ issuedAt }) => issuedAt)];
    this.#revoked.set(subject, { time, ahead: new Set(ahead.filter((issuedAt) => issuedAt > time)) });
    return time;
  }

  /**
   * Keeps what was added over a restart.
   *
   * @throws FanfareError `storage_unavailable`
   */
  async keep(): Promise<void> {
    const all = [...this.#revoked].map(([subject, { time, ahead }]) => ({
      subject,
      time,
      ahead: [...ahead],
    }));
    try {
      await this.#options.store.keepRevocations(all);
    } catch (cause) {
      const detail =
        'The subject is revoked, but this could not be stored, and ends with the server. Send it again.';
      throw new FanfareError('storage_unavailable', detail, { cause });
    }
  }

  /** A clock that may be wrong ends none: a revocation that is gone is gone for good. */
  #forgetEnded(): void {
    const { store, tokenLifetimeMsMax } = this.#options;
    if (tokenLifetimeMsMax === undefined) return;
    const longest = skewSeconds * 1_000 + tokenLifetimeMsMax;
    for (const [subject, { time }] of this.#revoked)
      if (time + longest <= store.trustedTime) this.#revoked.delete(subject);
  }
}

function tooMany(): FanfareError {
  return new FanfareError(
    'limit_exceeded',
    `Limit of ${revocationsMax} revoked subjects reached. With \`tokenLifetimeMsMax\`, revocations end with the tokens that they concern.`,
  );
}
