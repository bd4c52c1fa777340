import type { IncomingHttpHeaders } from 'node:http';

/**
 * Whether a request comes from no web page, or from a page that this server served. A browser lets any page
 * open a WebSocket to any address, so without this check every site that a user visits could read and
 * publish on the server on the user's own machine.
 */
export function isSameOrigin({ origin, host }: IncomingHttpHeaders): boolean {
  if (origin === undefined) return true;
  return host !== undefined && URL.canParse(origin) && new URL(origin).host === normalHost(origin, host);
}

/** `Host` as a URL would have it: lower case, without the port that the page's scheme implies. */
function normalHost(origin: string, host: string): string | undefined {
  const url = `${new URL(origin).protocol}//${host}`;
  return URL.canParse(url) ? new URL(url).host : undefined;
}
