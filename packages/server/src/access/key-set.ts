import type { Algorithm } from './algorithms.ts';
import type { VerificationKey } from './jwt-keys.ts';

/** Keys by their `kid`. */
export class KeySet {
  readonly #named = new Map<string, VerificationKey[]>();
  readonly #nameless: VerificationKey[] = [];

  constructor(keys: readonly VerificationKey[]) {
    for (const key of keys) {
      if (key.kid === undefined) this.#nameless.push(key);
      else if (!this.#named.has(key.kid)) this.#named.set(key.kid, [key]);
      else this.#named.get(key.kid)?.push(key);
    }
  }

  get isEmpty(): boolean {
    return this.#named.size === 0 && this.#nameless.length === 0;
  }

  /** Whether the set has the key that a token names. */
  names(kid: string | undefined, algorithm: Algorithm): boolean {
    return kid !== undefined && this.#named.has(kid) && this.matching(kid, algorithm).length > 0;
  }

  /**
   * The keys with which a token can have been signed: those with its `kid`, or else those without one.
   * Issuers often name a key that the server has without a name.
   */
  matching(kid: string | undefined, algorithm: Algorithm): readonly VerificationKey[] {
    const keys = (kid === undefined ? undefined : this.#named.get(kid)) ?? this.#nameless;
    return keys.filter((key) => key.algorithm === algorithm);
  }
}
