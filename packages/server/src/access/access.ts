import { FanfareError, type Revocation } from '@fanfare/protocol';
import type { Rules } from '../rules/rule.ts';
import { parseSubject, refuseToken } from './claims.ts';
import type { Asking } from './identify.ts';
import { anonymousIdentity, unrestrictedIdentity, type Identity } from './identity.ts';
import type { Revocations } from './revocations.ts';
import { DecisionCache, Rights } from './rights.ts';
import { LiveIdentities, type LiveIdentity } from './live-identities.ts';
import type { TokenVerifier } from './token-verifier.ts';

export interface AccessParts {
  /** Without one, and without `identify`, the server is open: anyone who can reach it may do anything. */
  readonly verifier: TokenVerifier | undefined;
  /** Who is asking, where the program that Fanfare is part of says so. No tokens are asked for then. */
  readonly identify?: ((asking: Asking) => Promise<Identity>) | undefined;
  readonly rules: Rules;
  readonly revocations: Revocations;
  /** The wall clock, in milliseconds since 1970. */
  readonly now: () => number;
}

/** Who is asking, and what they may. */
export class Access {
  /** Of whoever needs no token. */
  readonly fullRights: Rights;
  /** Of whoever was not asked for a token yet. */
  readonly noRights: Rights;
  readonly #parts: AccessParts;
  readonly #liveIdentities: LiveIdentities;
  readonly #rights = new WeakMap<Identity, Rights>();
  readonly #decisions = new DecisionCache();

  constructor(parts: AccessParts) {
    this.#parts = parts;
    this.#liveIdentities = new LiveIdentities(parts.now);
    this.fullRights = new Rights(unrestrictedIdentity, parts.rules, this.#decisions);
    this.noRights = new Rights(anonymousIdentity, parts.rules, this.#decisions);
  }

  /** Whether nobody is asked who it is. */
  get isOpen(): boolean {
    return this.#parts.verifier === undefined && this.#parts.identify === undefined;
  }

  /** What can be said at once; undefined when {@link authenticate} has to find out. */
  known(token: string | undefined): Rights | undefined {
    if (this.isOpen) return this.fullRights;
    const identity = token === undefined ? undefined : this.#parts.verifier?.known(token);
    return identity && !this.#parts.revocations.concerns(identity) ? this.#rightsOf(identity) : undefined;
  }

  /**
   * @throws FanfareError `not_authenticated`, `token_expired`, `keys_unavailable`
   * @throws Error when the program cannot say who is asking
   */
  async authenticate(token: string | undefined, asking?: Asking): Promise<Rights> {
    const { verifier, identify } = this.#parts;
    if (identify && asking) {
      const identity = await identify(asking);
      if (this.#parts.revocations.concerns(identity))
        throw new FanfareError('not_authenticated', 'You were signed out.');
      return this.#rightsOf(identity);
    }
    if (!verifier) return this.fullRights;
    if (token === undefined)
      throw new FanfareError(
        'not_authenticated',
        'A token is needed: Authorization: Bearer, or auth: {token}.',
      );
    const identity = await verifier.verify(token);
    const { revocations } = this.#parts;
    if (revocations.concerns(identity)) throw refuseToken('It was revoked.');
    revocations.noteSeen(identity);
    return this.#rightsOf(identity);
  }

  /**
   * Says so when what was allowed is not any more: a body may take its time after the head that had the token.
   *
   * @throws FanfareError `not_authenticated`, `token_expired`
   */
  confirm({ identity }: Rights): void {
    if (identity.endsAt <= this.#parts.now()) throw new FanfareError('token_expired', 'The token has ended.');
    if (this.#parts.revocations.concerns(identity)) throw refuseToken('It was revoked.');
  }

  /**
   * Notes that a connection lasts. On an open server there is nothing to note.
   *
   * @param end - is called once, in a later turn, when the token has ended or was revoked, and MUST end the connection
   */
  trackIdentity(rights: Rights, end: (error: FanfareError) => void): LiveIdentity | undefined {
    const { identity } = rights;
    if (identity.subject === undefined) return undefined;
    const live = this.#liveIdentities.track(identity, end);
    // It may have been revoked since it was verified.
    if (this.#parts.revocations.concerns(identity)) setImmediate(() => live.revoke());
    return live;
  }

  /**
   * From now on no token counts that a subject was issued before, and its live connections end, both at once. Resolves once that is
   * kept over a restart.
   *
   * @param input - the untrusted subject
   * @throws FanfareError `bad_request`, `not_authorized`, `limit_exceeded`, `storage_unavailable`
   */
  async revoke(rights: Rights, input: unknown): Promise<Revocation> {
    if (!rights.identity.isAdmin)
      throw new FanfareError('not_authorized', 'Only an admin may revoke tokens.');
    const subject = readSubject(input);
    const { revocations } = this.#parts;
    const time = revocations.add(subject);
    try {
      return { subject, time, ended: this.#liveIdentities.revoke(subject) };
    } finally {
      await revocations.keep();
    }
  }

  close(): void {
    this.#liveIdentities.close();
    this.#parts.verifier?.close();
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
