import type { IncomingMessage } from 'node:http';
import type { FanfareError, PublishResult } from '@fanfare/protocol';
import type { FastifyInstance, FastifyReply, FastifyRequest, HookHandlerDoneFunction } from 'fastify';
import type { NodeInside } from '../insides/node-inside.ts';
import type { MessagePath } from '../message-path/message-path.ts';
import { linesType, publishBatch, type BatchOptions } from './batch-response.ts';
import { bodyBudget, readJsonBody, readLinesBody, type BodyLimits, type PublishBody } from './body.ts';
import { idOf, sourceOf } from './request-fields.ts';
import { sendResponse, toRefusal, wrongContentType } from './problem.ts';
import { publishResponse } from './publish-response.ts';

export interface PublishRouteOptions extends BatchOptions {
  readonly limits: BodyLimits;
  readonly node: Pick<NodeInside, 'discard'>;
  readonly path: Pick<MessagePath, 'publish' | 'publishMany'>;
}

/** `POST /publish`: PROTOCOL.md §2 and §4. */
export async function publishRoute(app: FastifyInstance, options: PublishRouteOptions): Promise<void> {
  const { limits } = options;
  const budget = bodyBudget(limits);
  const { discard } = options.node;
  app.addContentTypeParser('application/json', (_request: FastifyRequest, payload: IncomingMessage) =>
    readJsonBody(payload, limits, budget, discard),
  );
  app.addContentTypeParser(linesType, (_request: FastifyRequest, payload: IncomingMessage) =>
    readLinesBody(payload, limits, budget, discard),
  );
  app.post<{ Body: PublishBody | undefined }>(
    '/publish',
    { onRequest: refuseEncodedBody },
    async (request, reply) => {
      const { body } = request;
      if (body === undefined) throw wrongContentType();
      if (body.kind !== 'one') return publishBatch(request, body, reply, options);
      const result = await publishOrRefuse(request, body.text, options);
      return sendResponse(reply, publishResponse(result, asksForJson(request)));
    },
  );
}

async function publishOrRefuse(
  request: FastifyRequest,
  json: string,
  options: PublishRouteOptions,
): Promise<PublishResult | FanfareError> {
  try {
    const input = { json, headerId: idOf(request) };
    return await options.path.publish(request.rights, input, sourceOf(request));
  } catch (error) {
    return toRefusal(error, options);
  }
}

/** A client that accepts anything, or neither text nor JSON, gets text. */
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
