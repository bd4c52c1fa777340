import {
  isPattern,
  parseFrom,
  parseInterest,
  parseOffset,
  refuseField,
  type FanfareError,
  type FromInput,
  type Interest,
} from '@fanfare/protocol';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { varyOn } from '../access/cross-origin.ts';
import type { Access } from '../access/access.ts';
import type { MessagePath } from '../message-path/message-path.ts';
import type { History } from '../message-path/history.ts';
import { permitReading } from '../message-path/permit.ts';
import type { EventStreams } from './event-streams.ts';
import { markEndless } from './half-closed-connections.ts';
import { Query } from './query.ts';
import { nameOf, sourceOf } from './request-fields.ts';
import { streamHeaders } from './stream-peer.ts';

export interface MessageRouteOptions {
  readonly path: MessagePath;
  readonly streams: EventStreams;
  readonly access: Access;
}

/**
 * `GET /messages?topic=` and `GET /topics/{topic}/messages`, as pages and as Server-Sent Events: PROTOCOL.md
 * §5.
 */
export async function messageRoute(app: FastifyInstance, options: MessageRouteOptions): Promise<void> {
  const answer = async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    void reply.header('vary', varyOn('Accept'));
    const interest = parseInterest(nameOf(request, 'topic'));
    const query = new Query(request.url);
    const before = query.text('before');
    if (before !== undefined) return pageBefore(request, reply, { interest, before, query }, options);
    if (request.type(['application/json', 'text/event-stream']) === 'text/event-stream') {
      const from = resumeFrom(request, query) ?? readFrom(query);
      return stream(request, reply, { interest, from }, options);
    }
    const from = parseFrom(readFrom(query)) ?? { kind: 'earliest' };
    const history = await options.path.history(request.rights, interest, from, query.limit());
    return reply.type('application/json; charset=utf-8').send(encodePage(history));
  };
  app.get('/messages', answer);
  app.get('/topics/:topic/messages', answer);
}

/** A page that ends before an offset, for clients that scroll back. */
async function pageBefore(
  request: FastifyRequest,
  reply: FastifyReply,
  {
    interest,
    before,
    query,
  }: { readonly interest: Interest; readonly before: string; readonly query: Query },
  { path }: MessageRouteOptions,
): Promise<FastifyReply> {
  const offset = parseOffset(before);
  if (!offset) throw refuseBefore('`before` must be an offset.');
  const start = ['from', 'last', 'time'].find((name) => query.text(name) !== undefined);
  if (start !== undefined) throw refuseBefore(`\`before\` cannot be combined with \`${start}\`.`);
  if (isPattern(interest)) throw refuseBefore('`before` needs a topic, not a pattern.');
  if (request.type(['application/json', 'text/event-stream']) === 'text/event-stream')
    throw refuseBefore('`before` is for pages, not for streams.');
  const history = await path.historyBefore(request.rights, interest, offset, query.limit());
  return reply.type('application/json; charset=utf-8').send(encodePage(history));
}

function refuseBefore(detail: string): FanfareError {
  return refuseField('bad_request', 'before', detail);
}

/** Uses the connection for a stream that ends only with the client or the server. */
async function stream(
  request: FastifyRequest,
  reply: FastifyReply,
  { interest, from }: { readonly interest: Interest; readonly from: FromInput },
  { path, streams, access }: MessageRouteOptions,
): Promise<FastifyReply> {
  const { rights } = request;
  if (path.isDraining) {
    // An EventSource reconnects after a lost connection, but not after another kind of response.
    request.raw.socket.destroy();
    return reply.hijack();
  }
  permitReading(rights, interest);
  // Subscribing creates a topic, but reading does not.
  if (!isPattern(interest)) await path.topics.get(rights, interest);
  if (request.method === 'HEAD') return reply.headers(streamHeaders).send();
  // The client may have gone while its token was verified. No later event would report this.
  if (!markEndless(reply.raw)) request.raw.socket.destroy();
  if (request.raw.socket.destroyed) return reply.hijack();
  // A stream is written without Fastify.
  reply.raw.setHeaders(
    new Map(Object.entries(reply.getHeaders()).map(([name, value]) => [name, String(value)])),
  );
  const peer = streams.open(reply.raw, (one) => path.connections.accept(one, rights), request.address);
  const identity = access.trackIdentity(rights, (error) => peer.fail(error));
  reply.raw.once('close', () => identity?.close());
  await peer.subscribe({ topic: interest, envelope: true, from }, sourceOf(request));
  return reply.hijack();
}

/** The position of a client that reconnects. It takes precedence over the parameters of the query. */
function resumeFrom(request: FastifyRequest, query: Query): FromInput | undefined {
  const header = request.headers['last-event-id'];
  if (typeof header === 'string' && header !== '') return readOffset(header, 'Last-Event-ID');
  const parameter = query.text('lastEventId');
  return parameter === undefined || parameter === '' ? undefined : readOffset(parameter, 'lastEventId');
}

function readOffset(text: string, field: string): string {
  try {
    if (parseFrom(text)?.kind === 'offset') return text;
  } catch {
    // The error below names the parameter.
  }
  throw refuseField('bad_request', field, `\`${field}\` must be an offset.`);
}

/** @throws FanfareError that names the parameter */
function readFrom(query: Query): FromInput {
  const from = query.text('from');
  const last = query.number('last', { min: 0, max: Number.MAX_SAFE_INTEGER });
  const time = query.number('time', { min: 0, max: Number.MAX_SAFE_INTEGER });
  if (last !== undefined) {
    if (from !== undefined || time !== undefined) throw conflict('last');
    return { last };
  }
  if (time === undefined) return from ?? 'earliest';
  if (from !== undefined) throw conflict('time');
  return { time };
}

function conflict(field: string): FanfareError {
  return refuseField('bad_request', field, 'Use only one of `from`, `last` and `time`.');
}

/** Encodes a page. The envelopes are JSON texts already, and are sent unchanged. */
function encodePage({ messages, ...rest }: History): string {
  return `{"messages":[${messages.join(',')}],${JSON.stringify(rest).slice(1)}`;
}
