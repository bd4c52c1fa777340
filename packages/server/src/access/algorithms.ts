/** What tokens may be signed with. */
export const algorithms = ['HS256', 'HS384', 'HS512', 'RS256', 'PS256', 'ES256', 'EdDSA'] as const;
export type Algorithm = (typeof algorithms)[number];
