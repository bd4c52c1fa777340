/** The algorithms with which tokens may be signed. */
export const algorithms = ['HS256', 'HS384', 'HS512', 'RS256', 'PS256', 'ES256', 'EdDSA'] as const;
export type Algorithm = (typeof algorithms)[number];

/** The names of an algorithm in tokens and keys. EdDSA with Ed25519 has a name of its own since RFC 9864. */
export function namesOf(algorithm: Algorithm): readonly string[] {
  return algorithm === 'EdDSA' ? ['EdDSA', 'Ed25519'] : [algorithm];
}

/** Parses the untrusted name of an algorithm. */
export function algorithmOf(name: unknown): Algorithm | undefined {
  return algorithms.find((algorithm) => namesOf(algorithm).some((one) => one === name));
}
