import type { IncomingHttpHeaders } from 'node:http';

/**
 * Whether a request comes from no web page, from one that this server served, or from one of an origin that is named. A
 * browser lets any page open a WebSocket to any address, so without this check every site that a user visits could read
 * and publish on the server on the user's own machine.
 *
 * @param named - as browsers send them
 */
export function isAllowedOrigin({ origin, host }: IncomingHttpHeaders, named: readonly string[]): boolean {
  return origin === undefined || named.includes(origin) || isSameOrigin(origin, host);
}

function isSameOrigin(origin: string, host: string | undefined): boolean {
  if (host === undefined || !URL.canParse(origin)) return false;
  const page = new URL(origin);
  // As a URL has it: in lower case, and without the port that the page's scheme implies.
  const asked = `${page.protocol}//${host}`;
  return page.host !== '' && URL.canParse(asked) && new URL(asked).host === page.host;
}
