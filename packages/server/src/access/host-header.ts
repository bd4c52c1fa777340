import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';

/**
 * Whether the `Host` of a request is a name that an attacker cannot own: an IP address, `localhost`, a name
 * without dots, or the name of an allowed origin. An attacker's domain can point at a visitor's own machine
 * (DNS rebinding); its pages would then have the same origin as the server. A request without `Host` does not
 * come from a browser.
 *
 * @param named - the allowed origins, as browsers send them
 */
export function isAllowedHost(host: string | undefined, named: readonly string[]): boolean {
  if (host === undefined) return true;
  const name = nameOf(`http://${host}`);
  if (name === undefined) return false;
  const bare = name.replace(/^\[|\]$/g, '').replace(/\.$/, '');
  if (isIP(bare) > 0 || !bare.includes('.') || bare.endsWith('.localhost')) return true;
  return named.some((origin) => nameOf(origin) === name);
}

/** The fault of the header `Host` of a request (RFC 9112, 3.2). Undefined if the header is valid. */
export function hostProblem({ headers, rawHeaders, httpVersion }: IncomingMessage): string | undefined {
  if (headers.host === undefined)
    return httpVersion === '1.1' ? 'HTTP/1.1 requests must send a `Host` header.' : undefined;
  let hosts = 0;
  for (let at = 0; at < rawHeaders.length; at += 2)
    if (rawHeaders[at]?.length === 4 && rawHeaders[at]?.toLowerCase() === 'host') hosts++;
  return hosts > 1 ? 'A request must have only one `Host` header.' : undefined;
}

function nameOf(url: string): string | undefined {
  return URL.canParse(url) ? new URL(url).hostname : undefined;
}
