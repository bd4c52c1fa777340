import { SignJWT } from 'jose';
import type { KeySettings } from '../../src/access/verifier-factory.ts';

export const secret = 'a secret of more than thirty-two bytes';

/** The settings of a server that asks for no tokens. */
export const noKeys: KeySettings = {
  key: '',
  keyFile: '',
  keyAlgorithm: undefined,
  jwksUrl: '',
  audience: '',
  issuer: '',
  tokenLifetimeMsMax: 0,
};

export interface Claims {
  readonly sub?: string;
  readonly publish?: readonly string[];
  readonly subscribe?: readonly string[];
  readonly admin?: boolean;
  /** The times of issue and expiry, in seconds from now. */
  readonly iat?: number;
  readonly exp?: number;
}

/** A token that a server with `key: secret` accepts. */
export function tokenFor({ sub = 'ann', iat = 0, exp = 600, ...fanfare }: Claims = {}): Promise<string> {
  const now = Math.floor(Date.now() / 1_000);
  return new SignJWT({ fanfare })
    .setProtectedHeader({ alg: 'HS256' })
    .setSubject(sub)
    .setIssuedAt(now + iat)
    .setExpirationTime(now + exp)
    .sign(new TextEncoder().encode(secret));
}

/** The header that carries a token. */
export async function bearer(claims?: Claims): Promise<{ authorization: string }> {
  return { authorization: `Bearer ${await tokenFor(claims)}` };
}
