import type { IncomingMessage } from 'node:http';
import { originForm } from './request-target.ts';

/**
 * The requests that Fanfare handles on an app's HTTP server:
 *
 * - `publish`: `POST /publish` only
 * - `topics`: also the routes of topics and revocations (PROTOCOL.md §7)
 * - `all`: also the routes for operators, `/metrics`, `/healthz`, `/readyz`, and the documents of the API
 */
export type AttachedRoutes = 'publish' | 'topics' | 'all';

const forAll =
  /^\/(?:identity|stats|connections|metrics|reload|healthz|readyz|openapi\.json|asyncapi\.json|reference)(?:[/?]|$)/;

/** @param withPreflights - whether Fanfare also handles a browser's preflight of `/publish` */
export function isAttachedRoute(
  { method, url: target = '' }: IncomingMessage,
  routes: AttachedRoutes,
  withPreflights: boolean,
): boolean {
  const url = originForm(target);
  const isPublish = method === 'POST' || (withPreflights && method === 'OPTIONS');
  if (isPublish && (url === '/publish' || url.startsWith('/publish?'))) return true;
  if (routes !== 'publish' && /^\/(?:topics|revocations)(?:[/?]|$)/.test(url)) return true;
  // The app may have pages with these names. Fanfare handles them only if the query has a topic.
  if (routes !== 'publish' && /^\/(?:topic|messages|subscribers)\?(?:.*&)?topic=/.test(url)) return true;
  return routes === 'all' && forAll.test(url);
}
