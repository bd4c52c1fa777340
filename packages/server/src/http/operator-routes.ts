import type { ConnectionPage, IdentityInfo, SubscriberPage } from '@fanfare/protocol';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Access } from '../access/access.ts';
import type { Identity } from '../access/identity.ts';
import type { MessagePath } from '../message-path/message-path.ts';
import type { MetricsText } from '../metrics/exposition.ts';
import { permitManaging } from '../message-path/permit.ts';
import {
  encodeConnectionCursor,
  encodeSubscriberCursor,
  readConnectionCursor,
  readSubscriberCursor,
} from './cursor.ts';
import { metricsRoute } from './metrics-route.ts';
import { Query } from './query.ts';
import { reloadRoute, type ReloadRouteOptions } from './reload-route.ts';
import { nameOf } from './request-fields.ts';

export interface AdminRouteOptions extends ReloadRouteOptions {
  readonly path: Pick<MessagePath, 'nodes' | 'topics'>;
  readonly access: Access;
  readonly metrics: MetricsText;
}

/** `/identity`, and what operators need: `/stats`, `/metrics`, `/connections`, `/reload` (PROTOCOL.md §5). */
export async function adminRoutes(app: FastifyInstance, options: AdminRouteOptions): Promise<void> {
  const { path, access, metrics } = options;
  reloadRoute(app, options);
  // The body of a DELETE or of `POST /reload` has no meaning, so any content type is accepted.
  app.addContentTypeParser('*', (_request, _payload, done) => done(null));
  app.get('/identity', async ({ rights }, reply) => send(reply, describe(rights.identity, access.isOpen)));
  app.get('/stats', async ({ rights }, reply) => send(reply, await path.nodes.stats(rights)));
  void app.register(metricsRoute, { metrics });
  connectionRoutes(app, path);
  const subscribers = async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    const { rights } = request;
    permitManaging(rights);
    const { topic } = await path.topics.state(rights, nameOf(request, 'topic'));
    const query = new Query(request.url);
    const after = readSubscriberCursor(query);
    const { items, next, silent } = await path.nodes.subscribersOf(rights, topic, query.limit(), after);
    return send(reply, {
      subscribers: items,
      ...(next && { cursor: encodeSubscriberCursor(next) }),
      ...(silent.length > 0 && { silent }),
    } satisfies SubscriberPage);
  };
  app.get('/subscribers', subscribers);
  app.get('/topics/:topic/subscribers', subscribers);
}

interface ConnectionPath {
  readonly Params: { readonly id: string };
}

function connectionRoutes(app: FastifyInstance, { nodes }: AdminRouteOptions['path']): void {
  app.get('/connections', async ({ url, rights }, reply) => {
    const query = new Query(url);
    const { items, next, silent } = await nodes.connections(
      rights,
      query.limit(),
      readConnectionCursor(query),
    );
    return send(reply, {
      connections: items,
      ...(next && { cursor: encodeConnectionCursor(next) }),
      ...(silent.length > 0 && { silent }),
    } satisfies ConnectionPage);
  });
  app.get<ConnectionPath>('/connections/:id', async ({ params, rights }, reply) =>
    send(reply, await nodes.connection(rights, params.id)),
  );
  app.delete<ConnectionPath>('/connections/:id', async ({ params, rights }, reply) => {
    await nodes.endConnection(rights, params.id);
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
