import type { FastifyInstance } from 'fastify';
import { readinessOf, type Checks } from '../observability/readiness.ts';
import { sendResponse, type RouteResponse } from './problem.ts';

const type = 'application/json; charset=utf-8';
const headers = { 'cache-control': 'no-store' };

/** `GET /healthz` and `GET /readyz`, without a token: PROTOCOL.md 5.9. */
export async function healthRoutes(
  app: FastifyInstance,
  { checks }: { readonly checks: Checks },
): Promise<void> {
  app.get('/healthz', async (_request, reply) => sendResponse(reply, healthResponse()));
  app.get('/readyz', async (_request, reply) => sendResponse(reply, readinessResponse(checks)));
}

/** The process turns, or it could not respond. Nothing else is checked: a restart would not help. */
export function healthResponse(): RouteResponse {
  return { status: 200, type, body: '{"ok":true}', headers };
}

export function readinessResponse(checks: Checks): RouteResponse {
  const readiness = readinessOf(checks);
  return { status: readiness.ready ? 200 : 503, type, body: JSON.stringify(readiness), headers };
}
