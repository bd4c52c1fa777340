import type { IncomingHttpHeaders } from 'node:http';

/**
 * Whether a request comes from no web page, or from a page that this server served. A browser lets any page
 * open a WebSocket to any address, so without this check every site that a user visits could read and
 * publish on the server on the user's own machine.
 */
export function isSameOrigin({ origin, host }: IncomingHttpHeaders): boolean {
  if (origin === undefined) return true;
  if (host === undefined || !URL.canParse(origin)) return false;
  const page = new URL(origin);
  // As a URL has it: in lower case, and without the port that the page's scheme implies.
  const asked = `${page.protocol}//${host}`;
  return page.host !== '' && URL.canParse(asked) && new URL(asked).host === page.host;
}
