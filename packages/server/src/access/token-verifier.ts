import type { Identity } from './identity.ts';

/**
 * Tells who a token is from. What a token says counts for nothing before its signature was verified.
 *
 * - `verify` MUST reject with a FanfareError, `not_authenticated`, `token_expired` or `keys_unavailable`, whose text has
 *   nothing of the token in it.
 * - `known` MUST answer at once, and only for a token that verified before and that would again.
 */
export interface TokenVerifier {
  known(token: string): Identity | undefined;
  verify(token: string): Promise<Identity>;
  close(): void;
}
