import { FanfareError } from '@fanfare/protocol';
import { fixedLimits } from '../limits/fixed-limits.ts';
import type { Rules } from '../rules/rule.ts';
import { parseSubject, refuseToken } from './claims.ts';
import type { Asking } from './identify.ts';
import { nobody, trusted, type Identity } from './identity.ts';
import { RememberedDecisions, Rights } from './rights.ts';
import { Sessions, type Session } from './sessions.ts';
import type { TokenVerifier } from './token-verifier.ts';

export interface AccessParts {
  /** Without one, and without `identify`, the server is open: anyone who can reach it may do anything. */
  readonly verifier: TokenVerifier | undefined;
  /** Who is asking, where the program that Fanfare is part of says so. No tokens are asked for then. */
  readonly identify?: ((asking: Asking) => Promise<Identity>) | undefined;
  readonly rules: Rules;
  /** The wall clock, in milliseconds since 1970. */
  readonly now: () => number;
}

/** What became of revoking a subject. */
export interface Revocation {
  readonly subject: string;
  /** Tokens that were issued up to then count no more, in milliseconds since 1970. */
  readonly time: number;
  /** How many live connections ended. */
  readonly ended: number;
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

/** Who is asking, and what they may. */
export class Access {
  /** Of whoever needs no token. */
  readonly trusted: Rights;
  /** Of whoever was not asked for a token yet. */
  readonly nobody: Rights;
  readonly #parts: AccessParts;
  readonly #sessions: Sessions;
  readonly #rights = new WeakMap<Identity, Rights>();
  readonly #decisions = new RememberedDecisions();
  readonly #revoked = new Map<string, Revoked>();
  /** Tokens that were seen before the time at which they were issued, by subject and that time. */
  readonly #ahead = new Map<string, Identity>();

  constructor(parts: AccessParts) {
    this.#parts = parts;
    this.#sessions = new Sessions(parts.now);
    this.trusted = new Rights(trusted, parts.rules, this.#decisions);
    this.nobody = new Rights(nobody, parts.rules, this.#decisions);
  }

  /** Whether nobody is asked who it is. */
  get isOpen(): boolean {
    return this.#parts.verifier === undefined && this.#parts.identify === undefined;
  }

  /** What can be said at once; undefined when {@link authenticate} has to find out. */
  known(token: string | undefined): Rights | undefined {
    if (this.isOpen) return this.trusted;
    const identity = token === undefined ? undefined : this.#parts.verifier?.known(token);
    return identity && !this.#isRevoked(identity) ? this.#rightsOf(identity) : undefined;
  }

  /**
   * @throws FanfareError `not_authenticated`, `token_expired`, `keys_unavailable`
   * @throws Error when the program cannot say who is asking
   */
  async authenticate(token: string | undefined, asking?: Asking): Promise<Rights> {
    const { verifier, identify } = this.#parts;
    if (identify && asking) {
      const identity = await identify(asking);
      if (this.#isRevoked(identity)) throw new FanfareError('not_authenticated', 'You were signed out.');
      return this.#rightsOf(identity);
    }
    if (!verifier) return this.trusted;
    if (token === undefined)
      throw new FanfareError(
        'not_authenticated',
        'A token is needed: Authorization: Bearer, or auth: {token}.',
      );
    const identity = await verifier.verify(token);
    if (this.#isRevoked(identity)) throw refuseToken('It was revoked.');
    this.#noteAhead(identity);
    return this.#rightsOf(identity);
  }

  /**
   * Says so when what was allowed is not any more: a body may take its time after the head that had the token.
   *
   * @throws FanfareError `not_authenticated`, `token_expired`
   */
  confirm({ identity }: Rights): void {
    if (identity.endsAt <= this.#parts.now()) throw new FanfareError('token_expired', 'The token has ended.');
    if (this.#isRevoked(identity)) throw refuseToken('It was revoked.');
  }

  /**
   * Notes that a connection lasts. On an open server there is nothing to note.
   *
   * @param end - is called once, in a later turn, when the token has ended or was revoked, and MUST end the connection
   */
  openSession(rights: Rights, end: (error: FanfareError) => void): Session | undefined {
    const { identity } = rights;
    if (identity.subject === undefined) return undefined;
    const session = this.#sessions.open(identity, end);
    // It may have been revoked since it was verified.
    if (this.#isRevoked(identity)) setImmediate(() => session.revoke());
    return session;
  }

  /**
   * From now on no token counts that a subject was issued before, and its live connections end.
   *
   * @param input - the untrusted subject
   * @throws FanfareError `bad_request`, `not_authorized`, `limit_exceeded`
   */
  revoke(rights: Rights, input: unknown): Revocation {
    if (!rights.identity.isAdmin)
      throw new FanfareError('not_authorized', 'Only an admin may revoke tokens.');
    const subject = readSubject(input);
    const before = this.#revoked.get(subject);
    if (!before && this.#revoked.size >= revocationsMax)
      throw new FanfareError('limit_exceeded', `At most ${revocationsMax} subjects can be revoked.`);
    const time = this.#parts.now();
    const seen = [...this.#ahead.values()].filter((identity) => identity.subject === subject);
    const ahead = [...(before?.ahead ?? []), ...seen.map(({ issuedAt }) => issuedAt)];
    this.#revoked.set(subject, { time, ahead: new Set(ahead.filter((issuedAt) => issuedAt > time)) });
    return { subject, time, ended: this.#sessions.revoke(subject) };
  }

  close(): void {
    this.#sessions.close();
    this.#parts.verifier?.close();
  }

  /** A time in a token is in whole seconds, as a rule: one of the same second counts as issued before. */
  #isRevoked({ subject, issuedAt }: Identity): boolean {
    const revoked = subject === undefined ? undefined : this.#revoked.get(subject);
    return revoked !== undefined && (issuedAt <= revoked.time || revoked.ahead.has(issuedAt));
  }

  /** A clock that is ahead gives a token no life beyond a revocation that comes after it was seen. */
  #noteAhead(identity: Identity): void {
    const { subject, issuedAt } = identity;
    const now = this.#parts.now();
    if (subject === undefined || issuedAt <= now) return;
    this.#ahead.set(`${issuedAt} ${subject}`, identity);
    // Those that were seen first are in the past first, as a rule.
    for (const [seen, first] of this.#ahead) {
      if (first.issuedAt > now && this.#ahead.size <= aheadMax) return;
      this.#ahead.delete(seen);
    }
  }

  #rightsOf(identity: Identity): Rights {
    const known = this.#rights.get(identity);
    if (known) return known;
    const rights = new Rights(identity, this.#parts.rules, this.#decisions);
    this.#rights.set(identity, rights);
    return rights;
  }
}

function readSubject(input: unknown): string {
  try {
    return parseSubject(input);
  } catch {
    throw new FanfareError('bad_request', 'The subject is no text that could be the sub of a token.');
  }
}
