import type { IncomingMessage } from 'node:http';

/** How long a browser may remember the answer to a preflight, in seconds. */
const preflightSeconds = 600;

const varies = 'Origin';

/** The header `Vary` of an answer that depends on a header of the request, as every answer does on `Origin`. */
export function varyOn(header: string): string {
  return `${varies}, ${header}`;
}

const usual = Object.freeze({ vary: varies });

/**
 * The headers that depend on the page that a request comes from. Every answer has them: those of routes, streams, refusals,
 * static files and Socket.IO (decision 20).
 *
 * @param named - the origins that are named, as browsers send them
 */
export function crossOriginHeaders(
  { headers: { origin } }: IncomingMessage,
  named: readonly string[],
): Readonly<Record<string, string>> {
  if (origin === undefined || !named.includes(origin)) return usual;
  return {
    vary: varies,
    'access-control-allow-origin': origin,
    'access-control-expose-headers': 'Retry-After',
  };
}

/** What is added for a preflight of a page whose origin is named; undefined for any other request. */
export function preflightHeaders(
  { method, headers }: IncomingMessage,
  named: readonly string[],
): Readonly<Record<string, string>> | undefined {
  const { origin = '' } = headers;
  if (method !== 'OPTIONS' || headers['access-control-request-method'] === undefined) return undefined;
  if (!named.includes(origin)) return undefined;
  const asked = headers['access-control-request-headers'];
  return {
    vary: varyOn('Access-Control-Request-Headers'),
    'access-control-allow-methods': 'GET, HEAD, POST, PUT, DELETE',
    ...(asked !== undefined && { 'access-control-allow-headers': asked }),
    'access-control-max-age': String(preflightSeconds),
    // Safari waits for a body otherwise.
    'content-length': '0',
  };
}
