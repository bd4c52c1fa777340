import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { FanfareError } from '@fanfare/protocol';
import type { FastifyReply, FastifyRequest, HookHandlerDoneFunction } from 'fastify';
import type { AnswerOrder, NodeInside } from '../insides/node-inside.ts';

export interface ResponseLimits {
  /** The limits now: a reload can change them. */
  readonly limits: {
    /** Maximum number of bytes of large responses that wait for all connections together. */
    readonly outboxTotalBytesMax: number;
    /** The connection of a client that reads nothing of a response for this time is closed. */
    readonly stallTimeoutMs: number;
  };
  readonly node: Pick<NodeInside, 'order'>;
}

/** The kernel usually buffers smaller responses whole. */
const largeBytes = 65_536;

/** A hook that bounds the memory of large responses that clients have not read yet. */
export function limitResponses({
  limits,
  node: { order },
}: ResponseLimits): (
  request: FastifyRequest,
  reply: FastifyReply,
  payload: unknown,
  done: HookHandlerDoneFunction,
) => void {
  let waitingBytes = 0;
  return (request, { raw: response }, payload, done) => {
    const { socket } = request.raw;
    if (socket.destroyed) return done();
    const { outboxTotalBytesMax, stallTimeoutMs } = limits;
    endWhenStalled(response, stallTimeoutMs, order);
    // A payload that is not a string is a static file, which all responses share.
    if (typeof payload !== 'string' || payload.length < largeBytes) return done();
    const bytes = payload.length;
    // Only reads are refused: a client whose request had an effect must learn the result.
    if (isReading(request) && waitingBytes > 0 && waitingBytes + bytes > outboxTotalBytesMax)
      return done(tooManyUnread(outboxTotalBytesMax));
    waitingBytes += bytes;
    // A response that waits for earlier ones emits no event if its connection closes. So both are watched.
    const release = (): void => {
      response.off('close', release);
      socket.off('close', release);
      waitingBytes -= bytes;
    };
    response.on('close', release);
    socket.on('close', release);
    done();
  };
}

/**
 * Closes the connection of a response if the client reads nothing of the response for this time. Small
 * responses count too. Otherwise a client that pipelines requests for small pages and reads nothing could
 * keep its connection open for ever.
 */
export function endWhenStalled(response: ServerResponse, timeoutMs: number, order: AnswerOrder): void {
  if (order.isWaiting(response)) return order.onceDue(response, () => begin(response, timeoutMs));
  begin(response, timeoutMs);
}

function begin(response: ServerResponse, timeoutMs: number): void {
  const { socket } = response.req;
  const { timeout: before = 0 } = socket;
  socket.setTimeout(timeoutMs);
  response.on('timeout', closeWhenUnread);
  // Before Node's own listener, which sets the timeout between two requests.
  response.prependOnceListener('finish', () => socket.setTimeout(before));
}

function closeWhenUnread(socket: Socket): void {
  // If nothing is buffered, the client waits for the server, and not the server for the client.
  if (socket.writableLength > 0) socket.destroy();
}

function tooManyUnread(bytesMax: number): FanfareError {
  return new FanfareError(
    'limit_exceeded',
    `Clients have not read ${bytesMax} bytes of responses (\`outboxTotalBytesMax\`). Retry later.`,
  );
}

/** Whether a request has no effect. */
export function isReading({ method }: FastifyRequest): boolean {
  return method === 'GET' || method === 'HEAD';
}
