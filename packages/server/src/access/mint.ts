import { createPrivateKey, createSecretKey, type JsonWebKeyInput } from 'node:crypto';
import { fieldsOf } from '@fanfare/protocol';
import { decodeJwt, decodeProtectedHeader, SignJWT } from 'jose';
import { parseClaims } from './claims.ts';
import { algorithmOf, type Algorithm } from './algorithms.ts';
import { fitted, KeyError, type VerificationKey } from './jwt-keys.ts';

export interface MintOptions {
  /** A secret as plain text, a private key as PEM, or a JWK as JSON with its private part. */
  readonly key: string;
  readonly algorithm?: Algorithm;
  readonly kid?: string;
  readonly subject: string;
  /** When the token expires, in milliseconds since 1970. */
  readonly endsAt: number;
  readonly publish: readonly string[];
  readonly subscribe: readonly string[];
  readonly isAdmin: boolean;
  readonly audience?: string;
  readonly issuer?: string;
}

/**
 * Makes a token.
 *
 * @param now - in milliseconds since 1970
 * @throws KeyError if the key cannot sign; FanfareError if a server would refuse the claims
 */
export async function mintToken(options: MintOptions, now: number): Promise<string> {
  const { subject, publish, subscribe, isAdmin, endsAt, audience, issuer } = options;
  const fanfare = {
    ...(publish.length > 0 && { publish }),
    ...(subscribe.length > 0 && { subscribe }),
    ...(isAdmin && { admin: true }),
  };
  const [iat, exp] = [Math.floor(now / 1_000), Math.floor(endsAt / 1_000)];
  const claims = { sub: subject, iat, exp, ...(Object.keys(fanfare).length > 0 && { fanfare }) };
  parseClaims(claims, now);
  const { key, algorithm, kid } = readSigningKey(options);
  try {
    const meant = {
      ...(audience !== undefined && { aud: audience }),
      ...(issuer !== undefined && { iss: issuer }),
    };
    return await new SignJWT({ ...claims, ...meant })
      .setProtectedHeader({ alg: algorithm, ...(kid !== undefined && { kid }) })
      .sign(key);
  } catch (cause) {
    throw new KeyError(`The key cannot be used for ${algorithm}.`, { cause });
  }
}

/** The header and claims of a token, without any verification. Undefined if the text is not a token. */
export function explainToken(
  token: string,
):
  | { readonly header: Readonly<Record<string, unknown>>; readonly claims: Readonly<Record<string, unknown>> }
  | undefined {
  try {
    return { header: { ...decodeProtectedHeader(token) }, claims: decodeJwt(token) };
  } catch {
    return undefined;
  }
}

function readSigningKey({ key: text, algorithm, kid }: MintOptions): VerificationKey {
  const trimmed = text.trim();
  try {
    if (trimmed.startsWith('{')) return readJwk(JSON.parse(trimmed), algorithm, kid);
    const key = trimmed.startsWith('-----BEGIN')
      ? createPrivateKey(trimmed)
      : createSecretKey(Buffer.from(trimmed));
    return fitted(key, kid, algorithm);
  } catch (cause) {
    if (cause instanceof KeyError) throw cause;
    throw new KeyError('The key cannot be read: it must be a secret, or a private key as PEM or JWK.');
  }
}

function readJwk(input: unknown, algorithm: Algorithm | undefined, kid: string | undefined): VerificationKey {
  const field = fieldsOf(input, 'A key');
  const [k, own] = [field('k'), field('kid')];
  const key =
    typeof k === 'string'
      ? createSecretKey(Buffer.from(k, 'base64url'))
      : createPrivateKey({ key: input as JsonWebKeyInput['key'], format: 'jwk' });
  return fitted(
    key,
    kid ?? (typeof own === 'string' ? own : undefined),
    algorithm ?? algorithmOf(field('alg')),
  );
}
