import type { Interest } from '@fanfare/protocol';

/** Who a client is and what it may do, as its token says. */
export interface Identity {
  /** The claim `sub`. Undefined for clients that need no token: those of an open server, and the program that runs Fanfare. */
  readonly subject: string | undefined;
  /** When the token was issued and when it ends, in milliseconds since 1970. */
  readonly issuedAt: number;
  readonly endsAt: number;
  /** Topics and patterns. */
  readonly publish: readonly Interest[];
  readonly subscribe: readonly Interest[];
  /** Whether everything is allowed. */
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

/** The identity of clients that have not said yet who they are. */
export const anonymousIdentity: Identity = Object.freeze({
  subject: undefined,
  issuedAt: 0,
  endsAt: 0,
  publish: [],
  subscribe: [],
  isAdmin: false,
});
