import type { Interest } from '@fanfare/protocol';

/** The identity of a client and its rights, from its token. */
export interface Identity {
  /**
   * The claim `sub`. Undefined for clients that need no token: those of an open server, and the program that
   * runs Fanfare.
   */
  readonly subject: string | undefined;
  /** The time when the token was issued and the time when it expires, in milliseconds since 1970. */
  readonly issuedAt: number;
  readonly endsAt: number;
  /** Topics and patterns. */
  readonly publish: readonly Interest[];
  readonly subscribe: readonly Interest[];
  /** Whether the client may do everything. */
  readonly isAdmin: boolean;
}

/** The identity of clients that need no token. */
export const unrestrictedIdentity: Identity = Object.freeze({
  subject: undefined,
  issuedAt: Infinity,
  endsAt: Infinity,
  publish: [],
  subscribe: [],
  isAdmin: true,
});

/** The identity of clients that are not authenticated yet. */
export const anonymousIdentity: Identity = Object.freeze({
  subject: undefined,
  issuedAt: 0,
  endsAt: 0,
  publish: [],
  subscribe: [],
  isAdmin: false,
});
