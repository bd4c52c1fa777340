import type { IncomingMessage } from 'node:http';

const absolute = /^https?:\/\/([^/?#]+)([^#]*)/i;

/**
 * The target of a request in origin form: a path and a query. Proxies send the absolute form, with a scheme
 * and a host (RFC 9112, 3.2.2), and `*` stands for the whole server.
 */
export function originForm(url: string): string {
  if (url.startsWith('/')) return url;
  if (url === '*') return '/';
  const [, , rest] = absolute.exec(url) ?? [];
  if (rest === undefined) return url;
  return rest.startsWith('/') ? rest : `/${rest}`;
}

/**
 * Rewrites the target of a request to origin form. The host of an absolute target replaces the header `Host`.
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
