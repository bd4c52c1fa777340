import { FanfareError, type Revocation } from '@fanfare/protocol';
import { fixedLimits } from '../limits/fixed-limits.ts';
import {
  LogUncertainError,
  type Revocation as StoredRevocation,
  type RevocationStore,
} from '../log/topic-log.ts';
import { askOthers, type Cluster, type Revoked as Effect } from '../nodes/cluster.ts';
import { parseSubject, skewSeconds } from './claims.ts';
import type { Identity } from './identity.ts';
import type { LiveIdentities } from './live-identities.ts';
import type { Rights } from './rights.ts';

export interface RevocationsOptions {
  readonly store: RevocationStore;
  readonly cluster: Cluster;
  readonly liveIdentities: LiveIdentities;
  /**
   * The maximum lifetime of a token, from `iat` to `exp`, in milliseconds. Undefined if there is no maximum.
   */
  readonly tokenLifetimeMsMax: number | undefined;
  /** The wall clock, in milliseconds since 1970. */
  readonly now: () => number;
}

const { value: revocationsMax } = fixedLimits.revocationsMax;

/**
 * Maximum number of remembered tokens whose issuer's clock is ahead. Each is remembered for a minute at most.
 */
const aheadMax = 10_000;

/** Says which tokens of a subject are revoked. */
interface Revoked {
  /** Tokens that were issued at this time or earlier. */
  readonly time: number;
  /**
   * The issue times of tokens that the server had seen, although their issuer's clock was ahead of this time.
   */
  readonly ahead: ReadonlySet<number>;
}

/**
 * Revokes the tokens of subjects. Revocations survive a restart. A revocation is kept until every token that
 * it can concern has expired. If the lifetime of tokens is not limited, it is kept permanently.
 */
export class Revocations {
  readonly #options: RevocationsOptions;
  readonly #revoked: Map<string, Revoked>;
  /** Tokens that were seen before their issue time, by this time and their subject. */
  readonly #ahead = new Map<string, Identity>();

  constructor(options: RevocationsOptions) {
    this.#options = options;
    this.#revoked = new Map(
      options.store.revocations.map(({ subject, time, ahead }) => [subject, { time, ahead: new Set(ahead) }]),
    );
    options.store.onRevocations((stored) => this.#reload(stored));
    options.cluster.serve({ revoke: (revocation) => this.#apply(revocation) });
  }

  /**
   * Whether a token is revoked. Token times are usually whole seconds: a token of the same second counts as
   * issued before.
   */
  concerns({ subject, issuedAt }: Identity): boolean {
    const revoked = subject === undefined ? undefined : this.#revoked.get(subject);
    return revoked !== undefined && (issuedAt <= revoked.time || revoked.ahead.has(issuedAt));
  }

  /**
   * Notes that a token was seen, so that a later revocation concerns it even if the clock of its issuer is
   * ahead.
   */
  noteSeen(identity: Identity): void {
    const { subject, issuedAt } = identity;
    const now = this.#options.now();
    if (subject === undefined || issuedAt <= now) return;
    this.#ahead.set(`${issuedAt} ${subject}`, identity);
    // Usually the tokens that were seen first are the first to be in the past.
    for (const [seen, first] of this.#ahead) {
      if (first.issuedAt > now && this.#ahead.size <= aheadMax) return;
      this.#ahead.delete(seen);
    }
  }

  /**
   * Revokes all tokens of a subject that were issued so far, and ends its live connections, both at once.
   * Resolves after the revocation is stored, and the other nodes have applied it.
   *
   * @param rights - the rights of the client that revokes
   * @param input - the untrusted subject
   * @throws FanfareError `bad_request`, `not_authorized`, `limit_exceeded`, `storage_unavailable`,
   *   `outcome_unknown`
   */
  async revoke(rights: Rights, input: unknown): Promise<Revocation> {
    if (!rights.identity.isAdmin)
      throw new FanfareError('not_authorized', 'Only an admin can revoke tokens.');
    const subject = readSubject(input);
    const over = this.#forgetEnded();
    if (!this.#revoked.has(subject) && this.#revoked.size >= revocationsMax) throw tooMany();
    const revoked = { subject, time: this.#options.now(), ahead: [] };
    // At once on this node, even if nothing can be stored.
    const { ended, ahead } = this.#apply(revoked);
    await this.#keep({ ...revoked, ahead }, over);
    const others = await this.#tellOthers({ ...revoked, ahead });
    return { subject, time: revoked.time, ended: ended + others };
  }

  /** Resolves to the number of connections that other nodes have ended. */
  async #tellOthers(revoked: StoredRevocation): Promise<number> {
    const { answers } = await askOthers(this.#options.cluster, 'revoke', revoked);
    const ahead = new Set([...revoked.ahead, ...answers.flatMap(({ answer }) => answer.ahead)]);
    if (ahead.size > revoked.ahead.length) await this.#keep({ ...revoked, ahead: [...ahead] }, []);
    return answers.reduce((sum, { answer }) => sum + answer.ended, 0);
  }

  /** Revokes the tokens of a subject on this node, and ends its connections. */
  #apply({ subject, time, ahead: told }: StoredRevocation): Effect {
    const before = this.#revoked.get(subject)?.ahead ?? [];
    const seen = [...this.#ahead.values()].filter((identity) => identity.subject === subject);
    const ahead = new Set(
      [...before, ...told, ...seen.map(({ issuedAt }) => issuedAt)].filter((issuedAt) => issuedAt > time),
    );
    this.#revoked.set(subject, { time, ahead });
    return { ended: this.#options.liveIdentities.revoke(subject), ahead: [...ahead] };
  }

  /** Other nodes may have revoked tokens without telling this one: it may have been cut off. */
  #reload(stored: readonly StoredRevocation[]): void {
    for (const { subject, time, ahead } of stored) {
      const known = this.#revoked.get(subject);
      if (known && known.time >= time) continue;
      this.#revoked.set(subject, { time, ahead: new Set(ahead) });
      this.#options.liveIdentities.revoke(subject, (identity) => this.concerns(identity));
    }
  }

  /** @throws FanfareError `storage_unavailable`, `outcome_unknown` */
  async #keep(revocation: StoredRevocation, over: readonly string[]): Promise<void> {
    try {
      await this.#options.store.keepRevocation(revocation, over);
    } catch (cause) {
      if (cause instanceof LogUncertainError) {
        const detail = `${cause.summary} The subject is revoked, but this may be lost when the server stops. Revoke it again.`;
        throw new FanfareError('outcome_unknown', detail, { cause });
      }
      const detail =
        'The subject is revoked, but this could not be stored: the revocation is lost when the server stops. Revoke it again.';
      throw new FanfareError('storage_unavailable', detail, { cause });
    }
  }

  /**
   * Uses the trusted time: a clock that jumped forward must not end a revocation, which would be lost
   * permanently.
   *
   * @returns the subjects of the revocations that have ended
   */
  #forgetEnded(): readonly string[] {
    const { store, tokenLifetimeMsMax } = this.#options;
    if (tokenLifetimeMsMax === undefined) return [];
    const longest = skewSeconds * 1_000 + tokenLifetimeMsMax;
    const over = [...this.#revoked].filter(([, { time }]) => time + longest <= store.trustedTime);
    for (const [subject] of over) this.#revoked.delete(subject);
    return over.map(([subject]) => subject);
  }
}

function readSubject(input: unknown): string {
  try {
    return parseSubject(input);
  } catch {
    throw new FanfareError(
      'bad_request',
      'The subject must be a string that can be the claim `sub` of a token (PROTOCOL.md 7.2).',
    );
  }
}

function tooMany(): FanfareError {
  return new FanfareError(
    'limit_exceeded',
    `Limit of ${revocationsMax} revoked subjects reached. With \`tokenLifetimeMsMax\`, revocations end with the tokens that they concern.`,
  );
}
