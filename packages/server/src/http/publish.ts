import { isUtf8 } from 'node:buffer';
import { FanfareError, type PublishResult } from '@fanfare/protocol';
import type { FastifyInstance, FastifyReply, FastifyRequest, HookHandlerDoneFunction } from 'fastify';
import { sendProblem, toRefusal, wrongContentType } from './problem.ts';
import type { Logger } from '../observability/logger.ts';

/**
 * Publishes the JSON text of a body.
 *
 * @throws FanfareError
 */
export type PublishText = (json: string, headerId: string | undefined) => Promise<PublishResult>;

interface PublishRouteOptions {
  readonly publish: PublishText;
  readonly publishBytesMax: number;
  readonly logger: Logger;
}

/** `POST /publish`: PROTOCOL.md §2 and §4. */
export async function publishRoute(app: FastifyInstance, options: PublishRouteOptions): Promise<void> {
  app.addContentTypeParser(
    'application/json',
    { parseAs: 'buffer' },
    (_request: FastifyRequest, body: Buffer, done) => {
      const text = readUtf8(body);
      if (text === undefined) done(new FanfareError('bad_request', 'The body is not UTF-8.'));
      else done(null, text);
    },
  );
  app.post('/publish', { onRequest: refuseEncodedBody }, async (request, reply) => {
    if (typeof request.body !== 'string') throw wrongContentType();
    const result = await publishOrRefuse(request.body, idOf(request), options);
    if (asksForJson(request)) {
      if (result instanceof FanfareError) return sendProblem(reply, result);
      return reply.type('application/json; charset=utf-8').send(JSON.stringify(result));
    }
    return sendText(reply, result);
  });
}

async function publishOrRefuse(
  json: string,
  id: string | undefined,
  options: PublishRouteOptions,
): Promise<PublishResult | FanfareError> {
  try {
    return await options.publish(json, id);
  } catch (error) {
    return toRefusal(error, options);
  }
}

/** The answers of the lab: text for the two that it knows, the error object for every other. */
function sendText(reply: FastifyReply, result: PublishResult | FanfareError): FastifyReply {
  if (result instanceof FanfareError) {
    if (result.code !== 'topic_not_found') return sendProblem(reply, result);
    return reply.code(404).type('text/plain; charset=utf-8').send(result.message);
  }
  return reply.type('text/plain; charset=utf-8').send(`Message published to topic '${result.topic}'`);
}

/** A client that accepts anything, or nothing that we have, gets text. */
function asksForJson(request: FastifyRequest): boolean {
  const { accept } = request.headers;
  if (accept === undefined || accept === '*/*') return false;
  const asked = request.type(['text', 'json', 'application/problem+json']);
  return asked === 'json' || asked === 'application/problem+json';
}

function refuseEncodedBody(
  { headers }: FastifyRequest,
  _reply: FastifyReply,
  done: HookHandlerDoneFunction,
): void {
  const encoding = headers['content-encoding'];
  if (encoding === undefined || encoding === 'identity') done();
  else done(wrongContentType());
}

function idOf(request: FastifyRequest): string | undefined {
  const header = request.headers['idempotency-key'];
  return typeof header === 'string' ? header : undefined;
}

/** Decodes strictly, where Buffer.toString would put U+FFFD for what is no UTF-8. A byte order mark is no part of the text. */
function readUtf8(body: Buffer): string | undefined {
  if (!isUtf8(body)) return undefined;
  const text = body.toString('utf8');
  return text.startsWith('\uFEFF') ? text.slice(1) : text;
}
