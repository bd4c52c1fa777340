import {
  createPublicKey,
  createSecretKey,
  type JsonWebKeyInput,
  type KeyObject,
  type PublicKeyInput,
} from 'node:crypto';
import { fieldsOf } from '@fanfare/protocol';
import { algorithmOf, algorithms, type Algorithm } from './algorithms.ts';

/** A key with its only algorithm. A token cannot choose the algorithm. */
export interface VerificationKey {
  readonly kid: string | undefined;
  readonly algorithm: Algorithm;
  readonly key: KeyObject;
}

/** A key cannot be used. The message never contains any part of the key. */
export class KeyError extends Error {
  override readonly name = 'KeyError';
}

/** Maximum number of keys in a set. */
const keysMax = 100;

/** The least length of a secret, in bytes. A shorter secret could be guessed (RFC 7518, 3.2). */
const secretBytesMin = { HS256: 32, HS384: 48, HS512: 64 } as const;

const rsaBitsMin = 2_048;

/**
 * Reads keys: a JWK or a set of them as JSON, a public key as PEM, or a secret as plain text.
 *
 * @param algorithm - the algorithm of a secret or PEM key; by default HS256, RS256, ES256 or EdDSA, depending
 *   on the key
 * @throws KeyError
 */
export function parseKeys(text: string, algorithm?: Algorithm): readonly VerificationKey[] {
  const trimmed = text.trim();
  if (trimmed.startsWith('{')) return parseKeySet(parseJson(trimmed), rethrow, algorithm);
  if (trimmed.startsWith('-----BEGIN')) return [parsePem(trimmed, algorithm)];
  return [fitted(secretOf(Buffer.from(trimmed)), undefined, algorithm)];
}

/**
 * Reads a JWK or a set of them. Keys of a set that have another purpose are skipped, and so are unusable keys
 * (RFC 7517, 5), unless `onUnusable` throws: a new kind of key from an identity provider must not disable its
 * other keys.
 *
 * @param algorithm - the algorithm of a single key
 * @throws KeyError if no key can be used
 */
export function parseKeySet(
  input: unknown,
  onUnusable: (error: KeyError) => void = () => {},
  algorithm?: Algorithm,
): readonly VerificationKey[] {
  const set = objectOf(input)('keys');
  if (set === undefined) return [parseJwk(input, algorithm)];
  if (!Array.isArray(set) || set.length > keysMax)
    throw new KeyError(`A set of keys must have an array of at most ${keysMax} keys as "keys".`);
  const keys: VerificationKey[] = [];
  let failure = new KeyError('The set has no key that can verify tokens.');
  for (const jwk of set as readonly unknown[]) {
    try {
      if (isForTokens(jwk)) keys.push(parseJwk(jwk));
    } catch (error) {
      if (!(error instanceof KeyError)) throw error;
      onUnusable(error);
      failure = error;
    }
  }
  if (keys.length === 0) throw failure;
  return keys;
}

function rethrow(error: KeyError): never {
  throw error;
}

function isForTokens(jwk: unknown): boolean {
  const field = objectOf(jwk);
  const [use, operations, alg] = [field('use'), field('key_ops'), field('alg')];
  if (use !== undefined && use !== 'sig') return false;
  if (Array.isArray(operations) && !operations.includes('verify')) return false;
  const curve = field('kty') === 'EC' ? 'P-256' : field('kty') === 'OKP' ? 'Ed25519' : undefined;
  if (curve !== undefined && field('crv') !== curve) return false;
  return alg === undefined || algorithmOf(alg) !== undefined;
}

function parseJwk(input: unknown, algorithm?: Algorithm): VerificationKey {
  const field = objectOf(input);
  const [kid, alg, type] = [field('kid'), field('alg'), field('kty')];
  if (kid !== undefined && typeof kid !== 'string') throw new KeyError('The kid of a key must be a string.');
  const own = alg === undefined ? algorithm : algorithmOf(alg);
  if (alg !== undefined && own === undefined)
    throw new KeyError(`The alg of a key must be one of ${algorithms.join(', ')}.`);
  if (type === 'oct') {
    const k = field('k');
    if (typeof k !== 'string') throw new KeyError('A secret key must have its bytes as "k".');
    return fitted(secretOf(Buffer.from(k, 'base64url')), kid, own);
  }
  if (field('d') !== undefined) throw isPrivate();
  return fitted(publicOf({ key: input as JsonWebKeyInput['key'], format: 'jwk' }), kid, own);
}

function parsePem(pem: string, algorithm: Algorithm | undefined): VerificationKey {
  if (pem.includes('PRIVATE KEY')) throw isPrivate();
  return fitted(publicOf({ key: pem }), undefined, algorithm);
}

function isPrivate(): KeyError {
  return new KeyError(
    'This is a private key, but the server needs only the public key: create it with openssl pkey -in private.pem -pubout.',
  );
}

function secretOf(bytes: Buffer): KeyObject {
  if (bytes.length === 0) throw new KeyError('The key is empty.');
  return createSecretKey(bytes);
}

function publicOf(input: PublicKeyInput | JsonWebKeyInput): KeyObject {
  try {
    return createPublicKey(input);
  } catch {
    // The original error is dropped: its text could contain the key.
    throw new KeyError('The key cannot be read.');
  }
}

/**
 * Finds the algorithm of a key, which may also be private.
 *
 * @param wanted - the required algorithm; undefined accepts any
 * @throws KeyError
 */
export function fitted(
  key: KeyObject,
  kid: string | undefined,
  wanted: Algorithm | undefined,
): VerificationKey {
  const fitting = fittingAlgorithms(key);
  const algorithm = wanted ?? fitting[0];
  if (algorithm === undefined || !fitting.includes(algorithm)) throw new KeyError(misfit(key, wanted));
  return { kid, algorithm, key };
}

/** The algorithms that a key can be used with; the first is the default. */
function fittingAlgorithms(key: KeyObject): readonly Algorithm[] {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details, symmetricKeySize: size = 0 } = key;
  if (key.type === 'secret')
    return (['HS256', 'HS384', 'HS512'] as const).filter((name) => size >= secretBytesMin[name]);
  if (type === 'rsa') return (details?.modulusLength ?? 0) >= rsaBitsMin ? ['RS256', 'PS256'] : [];
  if (type === 'ec') return details?.namedCurve === 'prime256v1' ? ['ES256'] : [];
  return type === 'ed25519' ? ['EdDSA'] : [];
}

function misfit(key: KeyObject, wanted: Algorithm | undefined): string {
  if (key.type === 'secret' && (wanted === undefined || wanted in secretBytesMin)) {
    const bytes = secretBytesMin[(wanted ?? 'HS256') as keyof typeof secretBytesMin];
    return `A secret for ${wanted ?? 'HS256'} must have at least ${bytes} bytes: create one with openssl rand -base64 ${bytes}.`;
  }
  return wanted
    ? `The key cannot be used for ${wanted}.`
    : 'The key must be a secret, RSA of at least 2048 bits, P-256 or Ed25519.';
}

function objectOf(input: unknown): (name: string) => unknown {
  try {
    return fieldsOf(input, 'A key');
  } catch {
    throw new KeyError('A key as JSON must be an object.');
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new KeyError('The key begins like JSON, but is not valid JSON.');
  }
}
