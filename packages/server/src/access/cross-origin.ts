import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';

/*
 * What web pages of other origins may do. A browser lets any page send requests to any address, and open a WebSocket there: without
 * this, every site that a user visits could read and publish on the server on the user's own machine (decision 20).
 */

/** How long a browser may remember the answer to a preflight, in seconds. */
const preflightSeconds = 600;

const varies = 'Origin';

/** The header `Vary` of an answer that depends on a header of the request, as every answer does on `Origin`. */
export function varyOn(header: string): string {
  return `${varies}, ${header}`;
}

const own = Object.freeze({ vary: varies, 'cross-origin-resource-policy': 'same-origin' });
const open = Object.freeze({ vary: varies, 'cross-origin-resource-policy': 'cross-origin' });

/**
 * The headers that depend on the page that a request comes from. Every answer has them: those of routes, streams, refusals,
 * static files and Socket.IO.
 *
 * @param named - the origins that are named, as browsers send them
 */
export function crossOriginHeaders(
  request: IncomingMessage,
  named: readonly string[],
): Readonly<Record<string, string>> {
  const { origin } = request.headers;
  if (origin === undefined || !named.includes(origin)) return isScriptForAll(request) ? open : own;
  return {
    ...open,
    'access-control-allow-origin': origin,
    'access-control-expose-headers': 'Retry-After',
    // Cookies, by which an app may know who is asking. Every sandboxed frame has the origin `null`, of whatever site it is.
    ...(origin !== 'null' && { 'access-control-allow-credentials': 'true' }),
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

/**
 * Whether a page has a browser send a request that this page may not send. What comes from no page may, and so may pages that the server
 * itself served and those of named origins. Any page may load the scripts that are made for it, and lead a person to `/`.
 */
export function isForeignPage(request: IncomingMessage, named: readonly string[]): boolean {
  const { headers } = request;
  const { origin } = headers;
  const site = headers['sec-fetch-site'];
  const isStrange =
    origin === undefined
      ? site === 'cross-site' || (site === 'same-site' && isEmbedded(headers))
      : // A browser knows it even where a proxy has changed the `Host`.
        site !== 'same-origin' && !named.includes(origin) && !isSameOrigin(origin, headers.host);
  return isStrange && !isScriptForAll(request) && !isNavigationToPage(request);
}

function isSameOrigin(origin: string, host: string | undefined): boolean {
  if (host === undefined || !URL.canParse(origin)) return false;
  const page = new URL(origin);
  // As a URL has it: in lower case, and without the port that the page's scheme implies.
  const asked = `${page.protocol}//${host}`;
  return page.host !== '' && URL.canParse(asked) && new URL(asked).host === page.host;
}

/** Whether a page shows the answer as a part of itself, as `<object>` does: that it can tell an error from success is a leak. */
function isEmbedded(headers: IncomingHttpHeaders): boolean {
  const mode = headers['sec-fetch-mode'];
  return mode === 'no-cors' || (mode === 'navigate' && headers['sec-fetch-dest'] !== 'document');
}

/** The SDK, and Socket.IO's own client. */
const scriptsForAll = /^\/(?:fanfare|socket\.io\/socket\.io[\w.]*)\.js(?:\?|$)/;

function isScriptForAll({ url = '' }: IncomingMessage): boolean {
  return scriptsForAll.test(url);
}

function isNavigationToPage({ method, url = '', headers }: IncomingMessage): boolean {
  return (
    (method === 'GET' || method === 'HEAD') &&
    /^\/(?:\?|$)/.test(url) &&
    headers.origin === undefined &&
    headers['sec-fetch-mode'] === 'navigate' &&
    headers['sec-fetch-dest'] === 'document'
  );
}
