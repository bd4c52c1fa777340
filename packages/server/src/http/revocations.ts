import type { FastifyInstance } from 'fastify';
import type { Access } from '../access/access.ts';

/** `PUT /revocations/{subject}`: PROTOCOL.md §7. */
export async function revocationRoute(
  app: FastifyInstance,
  { access }: { readonly access: Access },
): Promise<void> {
  // What a request brings along means nothing, whatever it is.
  app.addContentTypeParser('*', (_request, _payload, done) => done(null));
  app.put<{ Params: { subject: string } }>('/revocations/:subject', async ({ params, rights }, reply) =>
    reply.type('application/json; charset=utf-8').send(JSON.stringify(access.revoke(rights, params.subject))),
  );
}
