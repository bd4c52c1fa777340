import type { Socket } from 'node:net';
import { STATUS_CODES } from 'node:http';
import { FanfareError } from '@fanfare/protocol';
import type { FastifyError, FastifyReply } from 'fastify';
import { crossOriginHeaders } from '../access/cross-origin.ts';
import type { NodeInside } from '../insides/node-inside.ts';
import { fixedLimits } from '../limits/fixed-limits.ts';
import { tooLarge } from '../message-path/refusals.ts';
import { asRefusal, type RequestLogger } from '../observability/unexpected-failure.ts';

const problemType = 'application/problem+json; charset=utf-8';

/** A response, without the headers that all responses have. */
export interface RouteResponse {
  readonly status: number;
  readonly type: string;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string | number>>;
}

/** The response that tells a client why its request was refused. */
export function problemResponse(refusal: FanfareError): RouteResponse {
  const { status, retryAfterMs } = refusal;
  const headers = {
    ...(status === 401 && { 'www-authenticate': 'Bearer' }),
    ...(retryAfterMs !== undefined && { 'retry-after': Math.ceil(retryAfterMs / 1_000) }),
  };
  return { status, type: problemType, body: JSON.stringify(refusal.toProblem()), headers };
}

export function sendProblem(reply: FastifyReply, refusal: FanfareError): FastifyReply {
  return sendResponse(reply, problemResponse(refusal));
}

export function sendResponse(
  reply: FastifyReply,
  { status, type, body, headers = {} }: RouteResponse,
): FastifyReply {
  return reply.code(status).headers(headers).type(type).send(body);
}

/** Turns an error that a route or Fastify threw into the refusal for the client. */
export function toRefusal(
  error: unknown,
  {
    limits,
    logger,
  }: { readonly limits: { readonly publishBytesMax: number }; readonly logger: RequestLogger },
): FanfareError {
  return asRefusal(error instanceof FanfareError ? error : ofFastify(error, limits.publishBytesMax), logger);
}

/** The refusal for an error that Fastify threw. All others stay as they are. */
function ofFastify(error: unknown, publishBytesMax: number): unknown {
  const { code, statusCode = 500, message } = error as Partial<FastifyError>;
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') return tooLarge(publishBytesMax);
  if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') return wrongContentType();
  if (statusCode >= 500) return error;
  return new FanfareError('bad_request', message ?? 'The request is malformed.', { status: statusCode });
}

export function wrongContentType(): FanfareError {
  const detail =
    'Send the body as JSON with `Content-Type: application/json`, or as lines of JSON with `Content-Type: application/x-ndjson`, and without `Content-Encoding`.';
  return new FanfareError('bad_request', detail, { status: 415 });
}

/**
 * Sends a refusal on a connection that sent something other than an HTTP request, or that took too long to
 * send one.
 */
export function refuseRequest(
  error: NodeJS.ErrnoException,
  socket: Socket,
  { node, origins, logger }: RefuseRequestOptions,
): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return;
  // The client would take the refusal for the response to that request.
  const request = node.order.current(socket)?.req;
  if (!socket.writable || request?.complete === true) return void socket.destroy();
  const refusal = asRefusal(connectionRefusal(error.code), logger);
  refuseConnection(socket, refusal, request && crossOriginHeaders(request, origins));
}

export interface RefuseRequestOptions {
  readonly node: Pick<NodeInside, 'order'>;
  /** The origins of pages that may read the response. */
  readonly origins: readonly string[];
  readonly logger: RequestLogger;
}

/** Sends a refusal on a connection, whatever was received on it, and closes it. */
export function refuseConnection(
  socket: Socket,
  refusal: FanfareError,
  headers: Readonly<Record<string, string>> = {},
): void {
  const body = JSON.stringify(refusal.toProblem());
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(
    `HTTP/1.1 ${refusal.status} ${STATUS_CODES[refusal.status]}\r\nConnection: close\r\n` +
      `Content-Type: ${problemType}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n${lines.join('')}\r\n${body}`,
    // The server does not wait for a client that does not read this, or that keeps sending.
    () => socket.destroy(),
  );
}

function connectionRefusal(code: string | undefined): FanfareError {
  switch (code) {
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new FanfareError(
        'bad_request',
        'The request took too long to arrive (`requestTimeoutMs`; at most 10 seconds for its head).',
        { status: 408 },
      );
    case 'HPE_HEADER_OVERFLOW':
      return new FanfareError(
        'bad_request',
        `The headers are too large (limit: ${fixedLimits.headerBytesMax.value} bytes).`,
        { status: 431 },
      );
    default:
      return new FanfareError('bad_request', 'This is not an HTTP request.');
  }
}
