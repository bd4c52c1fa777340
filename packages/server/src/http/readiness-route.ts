import type { FastifyInstance } from 'fastify';
import { readinessOf, type Checks } from '../observability/readiness.ts';

/** `GET /readyz`, without a token: PROTOCOL.md 5.9. */
export async function readinessRoute(
  app: FastifyInstance,
  { checks }: { readonly checks: Checks },
): Promise<void> {
  app.get('/readyz', async (_request, reply) => {
    const readiness = readinessOf(checks);
    void reply.code(readiness.ready ? 200 : 503).header('cache-control', 'no-store');
    return reply.type('application/json; charset=utf-8').send(JSON.stringify(readiness));
  });
}
