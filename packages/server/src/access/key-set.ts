import type { Algorithm } from './algorithms.ts';
import type { VerificationKey } from './jwt-keys.ts';

/** Keys by the names that tokens call them by. */
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

  /** Whether a token that names its key can only have been signed with a key here. */
  names(kid: string | undefined, algorithm: Algorithm): boolean {
    return kid !== undefined && this.#named.has(kid) && this.matching(kid, algorithm).length > 0;
  }

  /**
   * Those that a token can have been signed with: the keys of the name that it says, or else those without a name. Issuers
   * commonly name a key that servers are only given the bytes of.
   */
  matching(kid: string | undefined, algorithm: Algorithm): readonly VerificationKey[] {
    const keys = (kid === undefined ? undefined : this.#named.get(kid)) ?? this.#nameless;
    return keys.filter((key) => key.algorithm === algorithm);
  }
}
