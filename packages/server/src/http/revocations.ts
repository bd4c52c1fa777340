import type { FastifyInstance } from 'fastify';
import type { Access } from '../access/access.ts';
import { nameOf } from './request-fields.ts';

/** `PUT /revocations?subject=` and `PUT /revocations/{subject}`: PROTOCOL.md §7. */
export async function revocationRoute(
  app: FastifyInstance,
  { access }: { readonly access: Access },
): Promise<void> {
  // What a request brings along means nothing, whatever it is.
  app.addContentTypeParser('*', (_request, _payload, done) => done(null));
  for (const path of ['/revocations', '/revocations/:subject']) {
    app.put(path, async (request, reply) => {
      const revoked = await access.revoke(request.rights, nameOf(request, 'subject'));
      return reply.type('application/json; charset=utf-8').send(JSON.stringify(revoked));
    });
  }
}
