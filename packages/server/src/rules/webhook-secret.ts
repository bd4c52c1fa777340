const secretText = /^whsec_([A-Za-z0-9+/]+={0,2})$/;

/** The sizes of a key that the specification of Standard Webhooks allows. */
const keyBytes = { min: 24, max: 64 };

/** While a secret is replaced by a new one, each request has the signatures of both. */
const secretsMax = 2;

/**
 * Reads one secret, or two with white space between them: `whsec_` and the key as base64. Undefined if the
 * text is something else.
 */
export function parseSecrets(text: string): readonly Buffer[] | undefined {
  const keys = text
    .trim()
    .split(/\s+/)
    .map((secret) => Buffer.from(secretText.exec(secret)?.[1] ?? '', 'base64'));
  const areLegal = keys.every(({ length }) => length >= keyBytes.min && length <= keyBytes.max);
  return areLegal && keys.length <= secretsMax ? keys : undefined;
}
