import { parseTopic, type ConnectionPage, type IdentityInfo, type SubscriberPage } from '@fanfare/protocol';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Access } from '../access/access.ts';
import type { Identity } from '../access/identity.ts';
import type { MessagePath } from '../message-path/message-path.ts';
import { permitManaging } from '../message-path/permit.ts';
import { statsOf } from '../message-path/stats.ts';
import type { ProcessHealth } from '../observability/process-health.ts';
import { encodeCursor, readNumberCursor, readPlaceCursor } from './cursor.ts';
import { Query } from './query.ts';
import { nameOf } from './request-fields.ts';

export interface AdminRouteOptions {
  readonly path: Pick<MessagePath, 'figures' | 'connections' | 'topics'>;
  readonly access: Access;
  readonly health: ProcessHealth;
}

/** `/identity`, and the routes for operators: `/stats` and `/connections` (PROTOCOL.md §5). */
export async function adminRoutes(
  app: FastifyInstance,
  { path, access, health }: AdminRouteOptions,
): Promise<void> {
  // The body of a DELETE has no meaning, so any content type is accepted.
  app.addContentTypeParser('*', (_request, _payload, done) => done(null));
  app.get('/identity', async ({ rights }, reply) => send(reply, describe(rights.identity, access.isOpen)));
  app.get('/stats', async ({ rights }, reply) => send(reply, await statsOf(rights, path, health)));
  connectionRoutes(app, path);
  const subscribers = async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    const { rights } = request;
    permitManaging(rights);
    const topic = parseTopic(nameOf(request, 'topic'));
    await path.topics.get(rights, topic);
    const query = new Query(request.url);
    const after = readPlaceCursor(query);
    const { items, next } = await path.connections.subscribersOf(
      rights,
      topic,
      query.limit(),
      after && { connection: after[0], subscription: after[1] },
    );
    const cursor = next && encodeCursor(`${next.connection} ${next.subscription}`);
    return send(reply, {
      subscribers: items,
      ...(cursor !== undefined && { cursor }),
    } satisfies SubscriberPage);
  };
  app.get('/subscribers', subscribers);
  app.get('/topics/:topic/subscribers', subscribers);
}

interface ConnectionPath {
  readonly Params: { readonly id: string };
}

function connectionRoutes(app: FastifyInstance, { connections }: AdminRouteOptions['path']): void {
  app.get('/connections', async (request, reply) => {
    const query = new Query(request.url);
    const { items, next } = connections.list(request.rights, query.limit(), readNumberCursor(query));
    const cursor = next === undefined ? undefined : encodeCursor(String(next));
    return send(reply, {
      connections: items,
      ...(cursor !== undefined && { cursor }),
    } satisfies ConnectionPage);
  });
  app.get<ConnectionPath>('/connections/:id', async ({ params, rights }, reply) =>
    send(reply, connections.get(rights, params.id)),
  );
  app.delete<ConnectionPath>('/connections/:id', async ({ params, rights }, reply) => {
    connections.end(rights, params.id);
    return reply.code(204).send();
  });
}

function describe(
  { subject, isAdmin: admin, publish, subscribe, endsAt }: Identity,
  open: boolean,
): IdentityInfo {
  return {
    open,
    ...(subject !== undefined && { subject }),
    admin,
    publish,
    subscribe,
    ...(endsAt !== Infinity && { endsAt }),
  };
}

function send(reply: FastifyReply, response: object): FastifyReply {
  // The response is valid only now, and only for this client.
  void reply.header('cache-control', 'no-store');
  return reply.type('application/json; charset=utf-8').send(JSON.stringify(response));
}
