import type { Identity } from './identity.ts';

/**
 * Verifies tokens. The claims of a token mean nothing before its signature was verified.
 *
 * - `verify` MUST reject with a FanfareError, `not_authenticated`, `token_expired` or `keys_unavailable`. Its text MUST NOT
 *   contain any part of the token.
 * - `known` MUST answer at once, and only for a token that was verified before and would be valid again.
 */
export interface TokenVerifier {
  known(token: string): Identity | undefined;
  verify(token: string): Promise<Identity>;
  close(): void;
}
