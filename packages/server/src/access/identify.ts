import type { IncomingMessage } from 'node:http';
import { FanfareError } from '@fanfare/protocol';
import { withTimeout } from '../limits/timeout.ts';
import { parseClaims } from './claims.ts';
import type { Identity } from './identity.ts';

/** The identity of a client, from the app's own login. */
export interface Identified {
  /** The subject: 1–255 bytes of UTF-8 without control characters. */
  readonly sub: string;
  /** At most 100 topics and patterns to which the client may publish. */
  readonly publish: readonly string[];
  /** At most 100 topics and patterns that the client may read. */
  readonly subscribe: readonly string[];
  /** Whether the client may do everything. */
  readonly admin?: boolean;
  /**
   * When a connection or stream ends, in seconds since 1970. Without it, connections last until they are
   * revoked.
   */
  readonly exp?: number;
}

/**
 * Identifies the client of a request, by the app's own login. `null` refuses the request with
 * `not_authenticated`.
 *
 * @param request - the HTTP request; of a Socket.IO connection its `socket.request`
 * @param auth - the option `auth` of a Socket.IO client
 */
export type Identify = (
  request: IncomingMessage,
  auth?: Readonly<Record<string, unknown>>,
) => Identified | null | Promise<Identified | null>;

/** The request of a client, and the credentials in it. */
export interface Asking {
  readonly request: IncomingMessage;
  readonly auth?: Readonly<Record<string, unknown>>;
}

export interface IdentifierParts {
  /** The wall clock, in milliseconds since 1970. */
  readonly now: () => number;
  /** How long the app's login can take, in milliseconds. A reload can change it. */
  readonly limits: { readonly loginTimeoutMs: number };
}

/** Replaces a missing `exp` while the claims are parsed. In seconds from now. */
const placeholderSeconds = 3_600;

/**
 * Authenticates clients by the app's login.
 *
 * @returns a function that rejects with a FanfareError, `not_authenticated` or `token_expired`, or with any
 *   other error if the login fails
 */
export function identifier(
  identify: Identify,
  { now, limits }: IdentifierParts,
): (asking: Asking) => Promise<Identity> {
  return async ({ request, auth }) => {
    // Taken before the login runs: an identity that is revoked meanwhile must not count.
    const issuedAt = now();
    const answer = identify(request, auth);
    const { loginTimeoutMs: timeoutMs } = limits;
    const late = `identify() did not answer within ${timeoutMs} ms (\`loginTimeoutMs\`).`;
    const identified = await (answer instanceof Promise ? withTimeout(answer, timeoutMs, late) : answer);
    if (identified === null) throw new FanfareError('not_authenticated', 'You are not signed in.');
    return { ...read(identified, now()), issuedAt };
  };
}

/** @throws FanfareError `token_expired`; Error if the input is not an identity */
function read(identified: unknown, now: number): Identity {
  if (typeof identified !== 'object' || identified === null)
    throw new Error(`identify() must return an identity or null, not ${typeof identified}.`);
  const { sub, publish, subscribe, admin, exp } = identified as Partial<Identified>;
  const fanfare = { publish, subscribe, admin };
  try {
    const claims = parseClaims({ sub, exp: exp ?? now / 1_000 + placeholderSeconds, fanfare }, now);
    return exp === undefined ? { ...claims, endsAt: Infinity } : claims;
  } catch (error) {
    if (error instanceof FanfareError && error.code === 'token_expired') throw error;
    const reason = (error as Error).message;
    throw new Error(
      `identify() must return claims that a token may have (PROTOCOL.md 7.2), or null: ${reason}`,
      { cause: error },
    );
  }
}
