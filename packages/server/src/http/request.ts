import type { FastifyRequest } from 'fastify';
import type { Source } from '../limits/rate-limits.ts';

/** The id of a publish, as the header gives it. */
export function idOf(request: FastifyRequest): string | undefined {
  const header = request.headers['idempotency-key'];
  return typeof header === 'string' ? header : undefined;
}

/** Who asks. The address is that of the connection: anybody can write a header. */
export function sourceOf({ rights, raw: { socket } }: FastifyRequest): Source {
  return { connection: socket, subject: rights.identity.subject, address: socket.remoteAddress };
}
