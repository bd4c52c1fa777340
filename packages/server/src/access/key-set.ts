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

  /** Those that a token can have been signed with. A token that names none is for keys without a name. */
  matching(kid: string | undefined, algorithm: string): readonly VerificationKey[] {
    const keys = kid === undefined ? this.#nameless : (this.#named.get(kid) ?? []);
    return keys.filter((key) => key.algorithm === algorithm);
  }
}
