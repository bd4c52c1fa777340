import type { TopicPage } from '@fanfare/protocol';
import type { FastifyInstance, FastifyReply } from 'fastify';
import type { Topics } from '../message-path/topics.ts';
import { encodeCursor, readCursor } from './cursor.ts';
import { Query } from './query.ts';
import { nameOf } from './request-fields.ts';

const json = 'application/json; charset=utf-8';

/** `/topics`, `/topic?topic=` and `/topics/{topic}`: PROTOCOL.md §5. */
export async function topicRoutes(
  app: FastifyInstance,
  { topics }: { readonly topics: Topics },
): Promise<void> {
  // The body of a request to declare or delete a topic is ignored.
  app.addContentTypeParser('*', (_request, _payload, done) => done(null));
  app.get('/topics', async (request, reply) => {
    const query = new Query(request.url);
    const limit = query.limit();
    const after = readCursor(query);
    const found = await topics.list(request.rights, {
      prefix: query.text('prefix') ?? '',
      limit: limit + 1,
      ...(after !== undefined && { after }),
    });
    const page = found.slice(0, limit);
    const last = found.length > limit ? page.at(-1) : undefined;
    return send(reply, {
      topics: page,
      ...(last && { cursor: encodeCursor(last.topic) }),
    } satisfies TopicPage);
  });
  for (const path of ['/topic', '/topics/:topic']) {
    app.get(path, async (request, reply) =>
      send(reply, await topics.get(request.rights, nameOf(request, 'topic'))),
    );
    app.put(path, async (request, reply) => {
      const { isNew, info } = await topics.declare(request.rights, nameOf(request, 'topic'));
      return send(reply.code(isNew ? 201 : 200), info);
    });
    app.delete(path, async (request, reply) => {
      await topics.delete(request.rights, nameOf(request, 'topic'));
      return reply.code(204).send();
    });
  }
}

function send(reply: FastifyReply, answer: object): FastifyReply {
  return reply.type(json).send(JSON.stringify(answer));
}
