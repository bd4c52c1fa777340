/** What tokens may be signed with. */
export const algorithms = ['HS256', 'HS384', 'HS512', 'RS256', 'PS256', 'ES256', 'EdDSA'] as const;
export type Algorithm = (typeof algorithms)[number];

/** The names that tokens and keys have for an algorithm. EdDSA with Ed25519 has one of its own since RFC 9864. */
export function namesOf(algorithm: Algorithm): readonly string[] {
  return algorithm === 'EdDSA' ? ['EdDSA', 'Ed25519'] : [algorithm];
}

/** The algorithm of a name that came from outside. */
export function algorithmOf(name: unknown): Algorithm | undefined {
  return algorithms.find((algorithm) => namesOf(algorithm).some((one) => one === name));
}
