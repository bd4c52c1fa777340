import type { FastifyInstance } from 'fastify';
import type { MetricsText } from '../metrics/exposition.ts';
import { permitManaging } from '../message-path/permit.ts';
import { sendResponse, type RouteResponse } from './problem.ts';

/** `GET /metrics` on the main port, only for admins, as `/stats`: PROTOCOL.md 5.17. */
export async function metricsRoute(
  app: FastifyInstance,
  { metrics }: { readonly metrics: MetricsText },
): Promise<void> {
  app.get('/metrics', async ({ rights, headers }, reply) => {
    permitManaging(rights);
    return sendResponse(reply, await metricsResponse(metrics, headers.accept));
  });
}

export async function metricsResponse(
  metrics: MetricsText,
  accept: string | undefined,
): Promise<RouteResponse> {
  const { type, body } = await metrics(accept);
  return { status: 200, type, body, headers: { 'cache-control': 'no-store' } };
}
