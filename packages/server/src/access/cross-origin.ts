import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';

/*
 * Decides which requests of web pages of other origins are allowed. A browser lets any page send requests to
 * any address and open a WebSocket there. Without these checks, every site that a user visits could read and
 * publish on a server on the user's own machine (decision 20).
 */

/** How long a browser may cache the response to a preflight, in seconds. */
const preflightSeconds = 600;

const varies = 'Origin';

/**
 * The header `Vary` of a response that depends on a request header. Every response also depends on `Origin`.
 */
export function varyOn(header: string): string {
  return `${varies}, ${header}`;
}

export const ownHeaders: Readonly<Record<string, string>> = Object.freeze({
  vary: varies,
  'cross-origin-resource-policy': 'same-origin',
});
const open = Object.freeze({ vary: varies, 'cross-origin-resource-policy': 'cross-origin' });

/**
 * The headers that depend on the page that sent a request. Every response has them: routes, streams,
 * refusals, static files and Socket.IO.
 *
 * @param named - the allowed origins, as browsers send them
 */
export function crossOriginHeaders(
  request: IncomingMessage,
  named: readonly string[],
): Readonly<Record<string, string>> {
  const { origin } = request.headers;
  if (origin === undefined || !named.includes(origin)) return isScriptForAll(request) ? open : ownHeaders;
  return {
    ...open,
    'access-control-allow-origin': origin,
    'access-control-expose-headers': 'Retry-After',
    // An app may identify clients by cookies. Not for `null`: it is the origin of every sandboxed frame, of
    // any site.
    ...(origin !== 'null' && { 'access-control-allow-credentials': 'true' }),
  };
}

/** The headers of the response to a preflight of an allowed page; undefined for any other request. */
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
    // Without it, Safari waits for a body.
    'content-length': '0',
  };
}

/**
 * Whether a request comes from a web page that may not send it. Requests that no page sent are allowed, and
 * so are pages of the server itself and of allowed origins. Any page may load the scripts that are made for
 * it, and link to `/`.
 */
export function isForeignPage(request: IncomingMessage, named: readonly string[]): boolean {
  const { headers } = request;
  const { origin } = headers;
  const site = headers['sec-fetch-site'];
  const isForeign =
    origin === undefined
      ? site === 'cross-site' || (site === 'same-site' && isEmbedded(headers))
      : // `Sec-Fetch-Site` is right even when a proxy has changed the `Host`.
        site !== 'same-origin' && !named.includes(origin) && !isSameOrigin(origin, headers.host);
  return isForeign && !isScriptForAll(request) && !isNavigationToPage(request);
}

function isSameOrigin(origin: string, host: string | undefined): boolean {
  if (host === undefined || !URL.canParse(origin)) return false;
  const page = new URL(origin);
  // Normalised as a URL: in lower case, and without the default port of the page's scheme.
  const asked = `${page.protocol}//${host}`;
  return page.host !== '' && URL.canParse(asked) && new URL(asked).host === page.host;
}

/**
 * Whether a page embeds the response, as `<object>` does: the page could tell an error from success, which is
 * a leak.
 */
function isEmbedded(headers: IncomingHttpHeaders): boolean {
  const mode = headers['sec-fetch-mode'];
  return mode === 'no-cors' || (mode === 'navigate' && headers['sec-fetch-dest'] !== 'document');
}

/** The SDK and Socket.IO's own client. */
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
