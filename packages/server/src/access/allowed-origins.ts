import type { IncomingHttpHeaders } from 'node:http';

/**
 * The web pages that may connect: those that this server served, and those of the origins named. A browser lets any
 * page open a WebSocket to any address, so without this check every site that a user visits could read and publish on
 * the server on the user's own machine.
 */
export class AllowedOrigins {
  /** As browsers send them. */
  readonly named: readonly string[];

  constructor(named: readonly string[]) {
    this.named = named;
  }

  /** Whether a request comes from no web page, or from one that may. */
  allows(headers: IncomingHttpHeaders): boolean {
    const { origin } = headers;
    return origin === undefined || this.named.includes(origin) || isSameOrigin(origin, headers.host);
  }
}

function isSameOrigin(origin: string, host: string | undefined): boolean {
  if (host === undefined || !URL.canParse(origin)) return false;
  const page = new URL(origin);
  // As a URL has it: in lower case, and without the port that the page's scheme implies.
  const asked = `${page.protocol}//${host}`;
  return page.host !== '' && URL.canParse(asked) && new URL(asked).host === page.host;
}
