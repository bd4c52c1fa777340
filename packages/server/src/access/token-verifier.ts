import type { Check } from '../observability/readiness.ts';
import type { Identity } from './identity.ts';

/**
 * Verifies tokens. The claims of a token must not be used before its signature is verified.
 *
 * - `verify` MUST reject with a FanfareError, `not_authenticated`, `token_expired` or `keys_unavailable`. Its
 *   text MUST NOT contain any part of the token.
 * - `known` MUST return at once. It MUST return an identity only for a token that was verified before and is
 *   still valid.
 * - `check` MUST return at once: whether there are keys.
 */
export interface TokenVerifier {
  known(token: string): Identity | undefined;
  verify(token: string): Promise<Identity>;
  check(): Check;
  close(): void;
}
