import { FanfareError, type ErrorCode } from '@fanfare/protocol';
import type { Check } from '../observability/readiness.ts';
import type { Rules } from '../rules/rule.ts';
import { refuseToken } from './claims.ts';
import type { Asking } from './identify.ts';
import { anonymousIdentity, unrestrictedIdentity, type Identity } from './identity.ts';
import type { LiveIdentities, LiveIdentity } from './live-identities.ts';
import type { Revocations } from './revocations.ts';
import { DecisionCache, Rights } from './rights.ts';
import type { TokenVerifier } from './token-verifier.ts';

export interface AccessParts {
  /** Without one, and without `identify`, the server is open: anyone who can reach it may do anything. */
  readonly verifier: TokenVerifier | undefined;
  /** The app's own login. With it, no tokens are needed. */
  readonly identify?: ((asking: Asking) => Promise<Identity>) | undefined;
  readonly rules: Rules;
  readonly revocations: Pick<Revocations, 'concerns' | 'noteSeen'>;
  readonly liveIdentities: LiveIdentities;
  /** The wall clock, in milliseconds since 1970. */
  readonly now: () => number;
}

/** The number of authentications by their result. Those of an open server do not count. */
export class AuthenticationCounts {
  accepted = 0;
  /** By the codes of the refusals. */
  readonly refused: Map<ErrorCode, number> = new Map([
    ['not_authenticated', 0],
    ['token_expired', 0],
    ['keys_unavailable', 0],
    ['internal', 0],
  ]);

  refuse(code: ErrorCode): void {
    this.refused.set(code, (this.refused.get(code) ?? 0) + 1);
  }
}

/** Authenticates clients and returns their rights. */
export class Access {
  /** The rights of clients that need no token. No rule gives them less or more. */
  readonly fullRights: Rights;
  /** The rights of clients that have not been asked for a token yet. */
  readonly noRights: Rights;
  readonly #parts: AccessParts;
  #verifier: TokenVerifier | undefined;
  /** Never changed in place: the rights of a connection follow the rules that it has got. */
  #rules: Rules;
  #rights = new WeakMap<Identity, Rights>();
  readonly #decisions = new DecisionCache();
  readonly counts: AuthenticationCounts = new AuthenticationCounts();

  constructor(parts: AccessParts) {
    this.#parts = parts;
    this.#verifier = parts.verifier;
    this.#rules = parts.rules;
    this.fullRights = new Rights(unrestrictedIdentity, parts.rules, this.#decisions);
    this.noRights = new Rights(anonymousIdentity, parts.rules, this.#decisions);
  }

  /** Whether clients need neither a token nor a login. */
  get isOpen(): boolean {
    return this.#verifier === undefined && this.#parts.identify === undefined;
  }

  /** Whether {@link authenticate} needs the request of the client. */
  get asksWithRequest(): boolean {
    return this.#parts.identify !== undefined;
  }

  /** Checks whether there are keys for tokens. Undefined if clients need no tokens. */
  get checkKeys(): (() => Check) | undefined {
    const { verifier } = this.#parts;
    return verifier && (() => verifier.check());
  }

  /** The rights that are known without waiting. Undefined if {@link authenticate} has to be called. */
  known(token: string | undefined): Rights | undefined {
    if (this.isOpen) return this.fullRights;
    const identity = token === undefined ? undefined : this.#verifier?.known(token);
    if (!identity || this.#parts.revocations.concerns(identity)) return undefined;
    this.counts.accepted++;
    return this.#rightsOf(identity);
  }

  /**
   * @throws FanfareError `not_authenticated`, `token_expired`, `keys_unavailable`
   * @throws Error if the app's login fails
   */
  async authenticate(token: string | undefined, asking?: Asking): Promise<Rights> {
    if (this.isOpen) return this.fullRights;
    try {
      const rights = await this.#authenticate(token, asking);
      this.counts.accepted++;
      return rights;
    } catch (error) {
      this.counts.refuse(error instanceof FanfareError ? error.code : 'internal');
      throw error;
    }
  }

  async #authenticate(token: string | undefined, asking?: Asking): Promise<Rights> {
    const { identify, revocations } = this.#parts;
    const verifier = this.#verifier;
    if (identify && asking) {
      const identity = await identify(asking);
      if (revocations.concerns(identity)) throw new FanfareError('not_authenticated', 'You were signed out.');
      return this.#rightsOf(identity);
    }
    if (!verifier) return this.fullRights;
    if (token === undefined) throw tokenMissing();
    const identity = await verifier.verify(token);
    if (revocations.concerns(identity)) throw refuseToken('It was revoked.');
    revocations.noteSeen(identity);
    return this.#rightsOf(identity);
  }

  /**
   * Checks that rights still hold: a body may arrive long after the head with the token.
   *
   * @throws FanfareError `not_authenticated`, `token_expired`
   */
  confirm({ identity }: Rights): void {
    if (identity.endsAt <= this.#parts.now())
      throw new FanfareError('token_expired', 'The token has expired.');
    if (this.#parts.revocations.concerns(identity)) throw refuseToken('It was revoked.');
  }

  /**
   * Ends a connection or stream when its token expires or is revoked.
   *
   * @param end - called once, in a later turn of the event loop; MUST end the connection
   * @returns undefined if clients need no tokens
   */
  trackIdentity(rights: Rights, end: (error: FanfareError) => void): LiveIdentity | undefined {
    const { identity } = rights;
    if (identity.subject === undefined) return undefined;
    const live = this.#parts.liveIdentities.track(identity, end);
    // It may have been revoked since it was verified.
    if (this.#parts.revocations.concerns(identity)) setImmediate(() => live.revoke());
    return live;
  }

  close(): void {
    this.#parts.liveIdentities.close();
    this.#verifier?.close();
  }

  /** Replaces the keys. Connections stay until their tokens expire, as after a change of the key file. */
  useVerifier(verifier: TokenVerifier): void {
    this.#verifier?.close();
    this.#verifier = verifier;
  }

  /** Replaces the rules that give rights. Rights that were given before do not change. */
  useRules(rules: Rules): void {
    this.#rules = rules;
    this.#rights = new WeakMap();
  }

  /** The rights of an identity by the rules now. */
  rightsOf(identity: Identity): Rights {
    return identity === unrestrictedIdentity ? this.fullRights : this.#rightsOf(identity);
  }

  #rightsOf(identity: Identity): Rights {
    const known = this.#rights.get(identity);
    if (known) return known;
    const rights = new Rights(identity, this.#rules, this.#decisions);
    this.#rights.set(identity, rights);
    return rights;
  }
}

function tokenMissing(): FanfareError {
  return new FanfareError(
    'not_authenticated',
    'A token is needed: send `Authorization: Bearer <token>`, or `auth: {token}` with Socket.IO.',
  );
}
