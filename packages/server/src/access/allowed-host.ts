import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';

/**
 * Whether a request was sent to a name that no stranger can have: an address, `localhost`, a name without a dot, or that of an
 * origin that is named. Whoever owns a domain can have it point at a visitor's own machine, and its pages are then of the
 * same origin as a server there. What sends no `Host` is no browser.
 *
 * @param named - origins, as browsers send them
 */
export function isAllowedHost(host: string | undefined, named: readonly string[]): boolean {
  if (host === undefined) return true;
  const name = nameOf(`http://${host}`);
  if (name === undefined) return false;
  const bare = name.replace(/^\[|\]$/g, '').replace(/\.$/, '');
  if (isIP(bare) > 0 || !bare.includes('.') || bare.endsWith('.localhost')) return true;
  return named.some((origin) => nameOf(origin) === name);
}

/** What is wrong with the header `Host` of a request (RFC 9112, 3.2); undefined when nothing is. */
export function hostProblem({ headers, rawHeaders, httpVersion }: IncomingMessage): string | undefined {
  if (headers.host === undefined)
    return httpVersion === '1.1' ? 'A request of HTTP/1.1 has a Host.' : undefined;
  let hosts = 0;
  for (let at = 0; at < rawHeaders.length; at += 2)
    if (rawHeaders[at]?.length === 4 && rawHeaders[at]?.toLowerCase() === 'host') hosts++;
  return hosts > 1 ? 'A request must have one Host header, and this one has more.' : undefined;
}

function nameOf(url: string): string | undefined {
  return URL.canParse(url) ? new URL(url).hostname : undefined;
}
