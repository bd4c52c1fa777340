import { encodePublishResult, refuseField, type Refused } from '@fanfare/protocol';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { MessagePath } from '../message-path/message-path.ts';
import type { BatchResult } from '../message-path/publish-many.ts';
import { asRefusal, type RequestLogger } from '../observability/unexpected-failure.ts';
import type { PublishBody } from './body.ts';
import { idOf, sourceOf } from './request-fields.ts';

export interface BatchOptions {
  readonly path: Pick<MessagePath, 'publishMany'>;
  readonly logger: RequestLogger;
}

/** The media type of NDJSON: one JSON value on each line. */
export const linesType = 'application/x-ndjson';

/**
 * Publishes a batch. The response has the result of each message, in their order and in the format of the
 * request.
 *
 * @throws FanfareError if none was published
 */
export async function publishBatch(
  request: FastifyRequest,
  { kind, text }: PublishBody,
  reply: FastifyReply,
  { path, logger }: BatchOptions,
): Promise<FastifyReply> {
  if (idOf(request) !== undefined) {
    const detail =
      'The header `Idempotency-Key` is for one message. In a batch, give each message its own `id`.';
    throw refuseField('bad_request', 'Idempotency-Key', detail);
  }
  const { rights } = request;
  const input = kind === 'lines' ? { lines: text } : { array: text };
  const results = await path.publishMany(rights, input, sourceOf(request));
  const separator = kind === 'lines' ? '\n' : ',';
  let answers = '';
  for (const result of results) answers += encodeAnswer(result, logger) + separator;
  if (kind === 'lines') return reply.type(linesType).send(answers);
  return reply.type('application/json; charset=utf-8').send(`[${answers.slice(0, -1)}]`);
}

/** Encodes the answer to one message as JSON text. */
function encodeAnswer(result: BatchResult, logger: RequestLogger): string {
  if (!(result instanceof Error)) return encodePublishResult(result);
  const refused: Refused = { ok: false, error: asRefusal(result, logger).toProblem() };
  return JSON.stringify(refused);
}
