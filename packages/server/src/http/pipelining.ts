import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { FanfareError } from '@fanfare/protocol';
import type { FastifyReply, FastifyRequest, HookHandlerDoneFunction } from 'fastify';
import type { AnswerOrder, NodeInside } from '../insides/node-inside.ts';
import { fixedLimits } from '../limits/fixed-limits.ts';

const { value: waitingMax } = fixedLimits.requestsWaitingMax;

/**
 * A hook that has what only reads wait until the requests before it on its connection were answered. Node hands over all
 * requests that it has read, and keeps their answers until it is their turn: some kilobytes of requests would be
 * gigabytes of pages, all read at once.
 */
export function waitForTurn(
  order: AnswerOrder,
): (request: FastifyRequest, reply: FastifyReply, done: HookHandlerDoneFunction) => void {
  const waiting = new WeakMap<Socket, number>();
  return (request, { raw: response }, done) => {
    if (!isReading(request) || !order.isWaiting(response)) return done();
    const { socket } = request.raw;
    const before = waiting.get(socket) ?? 0;
    if (before >= waitingMax)
      return done(
        new FanfareError('limit_exceeded', `On one connection ${waitingMax} requests may wait, and do.`),
      );
    waiting.set(socket, before + 1);
    order.onceDue(response, () => {
      waiting.set(socket, (waiting.get(socket) ?? 1) - 1);
      // Whoever takes its answers at once has others come in between.
      setImmediate(done);
    });
  };
}

export interface AnswerLimits {
  /** How many bytes of answers may wait for all connections together. */
  readonly outboxTotalBytesMax: number;
  /** How long a connection that an answer waits for may take nothing before it is ended. */
  readonly stallTimeoutMs: number;
  readonly node: Pick<NodeInside, 'order'>;
}

/** What is smaller the kernel takes, as a rule. */
const largeBytes = 65_536;

/** A hook that bounds what large answers take in memory until their clients have taken them. */
export function limitAnswers({
  outboxTotalBytesMax,
  stallTimeoutMs,
  node: { order },
}: AnswerLimits): (
  request: FastifyRequest,
  reply: FastifyReply,
  payload: unknown,
  done: HookHandlerDoneFunction,
) => void {
  let waitingBytes = 0;
  return (request, { raw: response }, payload, done) => {
    const { socket } = request.raw;
    if (socket.destroyed) return done();
    endWhenStalled(response, stallTimeoutMs, order);
    // What is no text is a file, which all answers share.
    if (typeof payload !== 'string' || payload.length < largeBytes) return done();
    const bytes = payload.length;
    // What has done something is to be told so.
    if (isReading(request) && waitingBytes > 0 && waitingBytes + bytes > outboxTotalBytesMax)
      return done(new FanfareError('limit_exceeded', 'Too much waits for clients that do not read it.'));
    waitingBytes += bytes;
    // Of an answer whose turn never came, only its connection tells.
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
 * Ends the connection of an answer when its client takes nothing of it for so long, whether it is large or small: a client that
 * pipelines requests for small ones and does not read would keep its connection for ever.
 */
export function endWhenStalled(response: ServerResponse, timeoutMs: number, order: AnswerOrder): void {
  if (order.isWaiting(response)) return order.onceDue(response, () => begin(response, timeoutMs));
  begin(response, timeoutMs);
}

function begin(response: ServerResponse, timeoutMs: number): void {
  const { socket } = response.req;
  const { timeout: before = 0 } = socket;
  socket.setTimeout(timeoutMs);
  response.on('timeout', cutUnread);
  // Before Node's own listener, which sets what holds until the next request.
  response.prependOnceListener('finish', () => socket.setTimeout(before));
}

function cutUnread(socket: Socket): void {
  // Nothing waits for a client that waits for its answer.
  if (socket.writableLength > 0) socket.destroy();
}

function isReading({ method }: FastifyRequest): boolean {
  return method === 'GET' || method === 'HEAD';
}
