import type { IncomingHttpHeaders } from 'node:http';

/** The token in the header `Authorization: Bearer`. */
export function bearerOf({ authorization }: IncomingHttpHeaders): string | undefined {
  return /^Bearer +([^ ]+) *$/i.exec(authorization ?? '')?.[1];
}

/**
 * Finds the token of a Socket.IO client. `auth` takes precedence over the header, which a proxy may have set.
 */
export function socketTokenOf(
  auth: Readonly<Record<string, unknown>>,
  headers: IncomingHttpHeaders,
): string | undefined {
  const token = Object.hasOwn(auth, 'token') ? auth['token'] : undefined;
  return typeof token === 'string' ? token : bearerOf(headers);
}
