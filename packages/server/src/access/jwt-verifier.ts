import { FanfareError } from '@fanfare/protocol';
import { decodeJwt, decodeProtectedHeader, errors, jwtVerify, type JWTPayload } from 'jose';
import { fixedLimits } from '../limits/fixed-limits.ts';
import { parseClaims, refuseToken, skewSeconds } from './claims.ts';
import type { Identity } from './identity.ts';
import { algorithms } from './algorithms.ts';
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
  /** What a token's `aud` has to name. Without it, a token that has one is meant for somebody else. */
  readonly audience: string | undefined;
  /** The wall clock, in milliseconds since 1970. */
  readonly now: () => number;
}

const { value: tokenCharactersMax } = fixedLimits.tokenCharactersMax;

/** How many verified tokens are remembered. */
const knownMax = 1_000;

/** Where a token says itself where its key is to be had, which it has no say in. */
const keyHeaders = ['jku', 'jwk', 'x5u', 'x5c'] as const;

const shape = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/;

/** Verifies JSON Web Tokens that are signed. */
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
    const { kid, algorithm } = this.#lookAt(token);
    const payload = await this.#verifySignature(token, await this.#keysFor(kid, algorithm));
    const identity = parseClaims(payload, this.#options.now());
    // The keys may have changed meanwhile: then it is verified again next time.
    if (generation === this.#generation) this.#remember(token, identity);
    return identity;
  }

  /** Keys have changed: what they verified may not count any more. */
  forget(): void {
    this.#generation++;
    this.#known.clear();
  }

  close(): void {
    for (const file of this.#options.files) file.close();
  }

  /** Refuses what could be no token of ours, before any key is looked for. */
  #lookAt(token: string): { readonly kid: string | undefined; readonly algorithm: string } {
    if (token.length > tokenCharactersMax)
      throw refuseToken(`It is longer than ${tokenCharactersMax} characters.`);
    if (!shape.test(token)) throw refuseToken('It is no signed JSON Web Token.');
    const { header, payload } = decode(token);
    const { alg, kid } = header;
    if (!algorithms.some((algorithm) => algorithm === alg)) throw refuseToken('Its alg is not taken.');
    if (keyHeaders.some((name) => Object.hasOwn(header, name)))
      throw refuseToken('It names its own key, which only the server does.');
    if (kid !== undefined && (typeof kid !== 'string' || kid.length > 255))
      throw refuseToken('Its kid is no text.');
    const { exp } = payload;
    if (typeof exp !== 'number') throw refuseToken('It has no exp.');
    if (exp * 1_000 <= this.#options.now()) throw new FanfareError('token_expired', 'The token has ended.');
    if (Object.hasOwn(payload, 'aud') && this.#options.audience === undefined)
      throw refuseToken('Its aud names somebody, and this server has no audience to be.');
    return { kid, algorithm: String(alg) };
  }

  async #keysFor(kid: string | undefined, algorithm: string): Promise<readonly VerificationKey[]> {
    const { fixed, files, url } = this.#options;
    const here = [fixed, ...files.map(({ keys }) => keys)].flatMap((keys) => keys.matching(kid, algorithm));
    return here.length > 0 || !url ? here : url.matching(kid, algorithm);
  }

  async #verifySignature(token: string, keys: readonly VerificationKey[]): Promise<JWTPayload> {
    const { audience, now } = this.#options;
    for (const { key, algorithm } of keys) {
      try {
        const { payload } = await jwtVerify(token, key, {
          algorithms: [algorithm],
          requiredClaims: ['sub', 'exp'],
          currentDate: new Date(now()),
          // For nbf; when a token ends is known to the second.
          clockTolerance: skewSeconds,
          ...(audience !== undefined && { audience }),
        });
        return payload;
      } catch (error) {
        if (!(error instanceof errors.JWSSignatureVerificationFailed)) throw refusalOf(error);
      }
    }
    throw refuseToken(
      keys.length > 0 ? 'Its signature does not fit.' : 'There is no key for its alg and kid.',
    );
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
    throw refuseToken('Its header or its claims are no JSON.');
  }
}

function refusalOf(error: unknown): FanfareError {
  if (error instanceof errors.JWTExpired) return new FanfareError('token_expired', 'The token has ended.');
  if (error instanceof errors.JWTClaimValidationFailed) {
    if (error.claim === 'nbf') return refuseToken('It does not count yet.');
    return refuseToken(`Its ${error.claim === 'aud' ? 'aud' : 'claims'} do not fit.`);
  }
  return refuseToken('It cannot be verified.');
}
