import type { FastifyInstance } from 'fastify';
import type { Revocations } from '../access/revocations.ts';
import { nameOf } from './request-fields.ts';

/** `PUT /revocations?subject=` and `PUT /revocations/{subject}`: PROTOCOL.md §7. */
export async function revocationRoute(
  app: FastifyInstance,
  { revocations }: { readonly revocations: Revocations },
): Promise<void> {
  // The body has no meaning, so any content type is accepted.
  app.addContentTypeParser('*', (_request, _payload, done) => done(null));
  for (const path of ['/revocations', '/revocations/:subject']) {
    app.put(path, async (request, reply) => {
      const revocation = await revocations.revoke(request.rights, nameOf(request, 'subject'));
      return reply.type('application/json; charset=utf-8').send(JSON.stringify(revocation));
    });
  }
}
