import type { FastifyInstance, FastifyReply } from 'fastify';
import type { Access } from '../access/access.ts';
import type { Identity } from '../access/identity.ts';
import type { MessagePath } from '../message-path/message-path.ts';
import type { Vitals } from '../observability/vitals.ts';
import { version } from '../version.ts';

export interface AdminRouteOptions {
  readonly path: Pick<MessagePath, 'figures'>;
  readonly access: Access;
  readonly vitals: Vitals;
}

/** Who is asking, and what an operator wants to see: PROTOCOL.md §5. */
export async function adminRoutes(
  app: FastifyInstance,
  { path, access, vitals }: AdminRouteOptions,
): Promise<void> {
  app.get('/identity', async ({ rights }, reply) =>
    send(reply, { open: access.isOpen, ...describe(rights.identity) }),
  );
  app.get('/stats', async ({ rights }, reply) => {
    const figures = await path.figures(rights);
    const { time, startedAt, loopDelayMs } = vitals;
    return send(reply, { time, startedAt, version, loopDelayMs, ...figures });
  });
}

function describe({ subject, isAdmin: admin, publish, subscribe, endsAt }: Identity): object {
  return {
    ...(subject !== undefined && { subject }),
    admin,
    publish,
    subscribe,
    ...(endsAt !== Infinity && { endsAt }),
  };
}

function send(reply: FastifyReply, answer: object): FastifyReply {
  // It is true of now, and not for everybody.
  void reply.header('cache-control', 'no-store');
  return reply.type('application/json; charset=utf-8').send(JSON.stringify(answer));
}
