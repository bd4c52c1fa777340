import { FanfareError } from '@fanfare/protocol';
import { decodeJwt, decodeProtectedHeader, errors, jwtVerify, type JWTPayload } from 'jose';
import { fixedLimits } from '../limits/fixed-limits.ts';
import type { Check } from '../observability/readiness.ts';
import { parseClaims, parseTimes, refuseToken, skewSeconds } from './claims.ts';
import type { Identity } from './identity.ts';
import { algorithmOf, namesOf, type Algorithm } from './algorithms.ts';
import type { VerificationKey } from './jwt-keys.ts';
import type { KeyFile } from './key-file.ts';
import type { KeySet } from './key-set.ts';
import type { KeyUrl } from './key-url.ts';
import type { TokenVerifier } from './token-verifier.ts';

export interface JwtVerifierOptions {
  /** Keys that never change. */
  readonly fixed: KeySet;
  readonly files: readonly KeyFile[];
  readonly url: KeyUrl | undefined;
  /**
   * The audience that the `aud` of a token must name. Without it, tokens with an `aud` are refused: they are
   * for another service.
   */
  readonly audience: string | undefined;
  /** The required `iss` of tokens. Without it, any `iss` is accepted. */
  readonly issuer: string | undefined;
  /** The maximum lifetime of a token, from `iat` to `exp`, in milliseconds. */
  readonly lifetimeMsMax: number | undefined;
  /** The wall clock, in milliseconds since 1970. */
  readonly now: () => number;
}

/** The header fields of a token that name its key. */
interface KeyHint {
  readonly kid: string | undefined;
  readonly algorithm: Algorithm;
}

const { value: tokenCharactersMax } = fixedLimits.tokenCharactersMax;

/** Maximum number of verified tokens in the cache. */
const knownMax = 1_000;

/**
 * Header fields with which a token names its own key. Such tokens are refused: only the server chooses keys.
 */
const keyHeaders = ['jku', 'jwk', 'x5u', 'x5c'] as const;

const shape = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/;

/** Verifies signed JSON Web Tokens. */
export class JwtVerifier implements TokenVerifier {
  readonly #options: JwtVerifierOptions;
  readonly #known = new Map<string, Identity>();
  #generation = 0;

  constructor(options: JwtVerifierOptions) {
    this.#options = options;
  }

  known(token: string): Identity | undefined {
    const identity = this.#known.get(token);
    if (!identity || identity.endsAt <= this.#options.now()) return undefined;
    this.#options.url?.refresh();
    return identity;
  }

  async verify(token: string): Promise<Identity> {
    const known = this.known(token);
    if (known) return known;
    const generation = this.#generation;
    const payload = await this.#verifySignature(token, this.#lookAt(token));
    const { now, lifetimeMsMax } = this.#options;
    const identity = parseClaims(payload, now(), lifetimeMsMax);
    // If the keys have changed meanwhile, the token is not cached, and is verified again next time.
    if (generation === this.#generation) this.#remember(token, identity);
    return identity;
  }

  /** Empties the cache after the keys have changed: tokens of the old keys may be invalid now. */
  forget(): void {
    this.#generation++;
    this.#known.clear();
  }

  check(): Check {
    const { fixed, files, url } = this.#options;
    if (files.some(({ isFailing }) => isFailing))
      return { ok: true, warning: 'The changed key file cannot be read. The last keys stay in use.' };
    const fetched = url?.check() ?? { ok: true };
    if (fetched.ok || (fixed.isEmpty && files.length === 0)) return fetched;
    return { ok: true, ...(fetched.reason !== undefined && { warning: fetched.reason }) };
  }

  close(): void {
    for (const file of this.#options.files) file.close();
  }

  /** Refuses a token that cannot be valid, before any key is fetched. */
  #lookAt(token: string): KeyHint {
    if (token.length > tokenCharactersMax)
      throw refuseToken(`It is longer than ${tokenCharactersMax} characters.`);
    if (!shape.test(token)) throw refuseToken('It is not a signed JSON Web Token.');
    const { header, payload } = decode(token);
    const { alg, kid } = header;
    const algorithm = algorithmOf(alg);
    if (algorithm === undefined) throw refuseToken('Its alg is not supported.');
    if (keyHeaders.some((name) => Object.hasOwn(header, name)))
      throw refuseToken('It names its own key: only the server may choose the key.');
    if (kid !== undefined && typeof kid !== 'string') throw refuseToken('Its kid must be a string.');
    const now = this.#options.now();
    if (parseTimes(payload, now).endsAt <= now)
      throw new FanfareError('token_expired', 'The token has expired.');
    if (Object.hasOwn(payload, 'aud') && this.#options.audience === undefined)
      throw refuseToken('It has an aud, but this server has no `audience`.');
    return { kid, algorithm };
  }

  async #verifySignature(token: string, hint: KeyHint): Promise<JWTPayload> {
    let isKeyKnown = false;
    for await (const key of this.#keysFor(hint)) {
      isKeyKnown = true;
      const payload = await this.#verifyWith(key, token);
      if (payload) return payload;
    }
    throw refuseToken(isKeyKnown ? 'Its signature is wrong.' : 'The server has no key for its alg and kid.');
  }

  /** Local keys come first: the keys of the URL may have to be fetched. */
  async *#keysFor({ kid, algorithm }: KeyHint): AsyncGenerator<VerificationKey, void, undefined> {
    const { fixed, files, url } = this.#options;
    const sets = [fixed, ...files.map(({ keys }) => keys)];
    const named = sets.filter((keys) => keys.names(kid, algorithm));
    for (const keys of named.length > 0 ? named : sets) yield* keys.matching(kid, algorithm);
    if (url && named.length === 0) yield* url.matching(kid, algorithm);
  }

  /** Undefined if the token was not signed with the key. */
  async #verifyWith({ key, algorithm }: VerificationKey, token: string): Promise<JWTPayload | undefined> {
    const { audience, issuer, now } = this.#options;
    try {
      const { payload } = await jwtVerify(token, key, {
        algorithms: [...namesOf(algorithm)],
        currentDate: new Date(now()),
        // Only for `nbf`: the end of a token is checked without tolerance.
        clockTolerance: skewSeconds,
        ...(audience !== undefined && { audience }),
        ...(issuer !== undefined && { issuer }),
      });
      return payload;
    } catch (error) {
      if (error instanceof errors.JWSSignatureVerificationFailed) return undefined;
      throw refusalOf(error);
    }
  }

  #remember(token: string, identity: Identity): void {
    this.#known.delete(token);
    this.#known.set(token, identity);
    if (this.#known.size <= knownMax) return;
    for (const [oldest] of this.#known) {
      this.#known.delete(oldest);
      return;
    }
  }
}

function decode(token: string): {
  readonly header: ReturnType<typeof decodeProtectedHeader>;
  readonly payload: JWTPayload;
} {
  try {
    return { header: decodeProtectedHeader(token), payload: decodeJwt(token) };
  } catch {
    throw refuseToken('Its header or its claims are not JSON.');
  }
}

function refusalOf(error: unknown): FanfareError {
  if (error instanceof errors.JWTExpired) return new FanfareError('token_expired', 'The token has expired.');
  if (error instanceof errors.JWTClaimValidationFailed) {
    if (error.claim === 'nbf') return refuseToken('It is not valid yet (nbf).');
    if (error.claim === 'iss') return refuseToken("Its iss is not the server's `issuer`.");
    if (error.claim === 'aud') return refuseToken("Its aud does not name the server's `audience`.");
  }
  return refuseToken('It cannot be verified.');
}
