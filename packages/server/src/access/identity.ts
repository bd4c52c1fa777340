import type { Interest } from '@fanfare/protocol';

/** What a token says about who has it. */
export interface Identity {
  /** The claim `sub`. Undefined for whoever needs no token: on an open server, and the program that Fanfare is part of. */
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

/** Whoever needs no token. */
export const unrestrictedIdentity: Identity = Object.freeze({
  subject: undefined,
  issuedAt: Infinity,
  endsAt: Infinity,
  publish: [],
  subscribe: [],
  isAdmin: true,
});

/** Whoever has not said yet who it is. */
export const anonymousIdentity: Identity = Object.freeze({
  subject: undefined,
  issuedAt: 0,
  endsAt: 0,
  publish: [],
  subscribe: [],
  isAdmin: false,
});
