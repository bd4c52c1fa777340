import type { IncomingMessage } from 'node:http';

const absolute = /^https?:\/\/([^/?#]+)([^#]*)/i;

/**
 * The target of a request as a path and a query. Proxies send it behind a scheme and a host (RFC 9112, 3.2.2), and `*` stands for
 * the server as a whole.
 */
export function originForm(url: string): string {
  if (url.startsWith('/')) return url;
  if (url === '*') return '/';
  const [, , rest] = absolute.exec(url) ?? [];
  if (rest === undefined) return url;
  return rest.startsWith('/') ? rest : `/${rest}`;
}

/**
 * Gives a request its target in this form. The host of the target counts then, whatever the header says.
 *
 * @returns the target
 */
export function useOriginForm(request: IncomingMessage): string {
  const { url = '' } = request;
  if (url.startsWith('/')) return url;
  const [, host] = absolute.exec(url) ?? [];
  if (host !== undefined) request.headers.host = host;
  return (request.url = originForm(url));
}
