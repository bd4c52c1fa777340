import type { Socket } from 'node:net';
import { FanfareError } from '@fanfare/protocol';
import type { FastifyReply, FastifyRequest, HookHandlerDoneFunction } from 'fastify';
import type { AnswerOrder } from '../insides/node-inside.ts';
import { fixedLimits } from '../limits/fixed-limits.ts';
import { isReading } from './response-limits.ts';

const { value: waitingMax } = fixedLimits.requestsWaitingMax;

/**
 * A hook that holds pipelined reads until the requests before them on their connection are answered. Node
 * starts all requests that it has read and keeps each response until its turn. Without this hook, a few
 * kilobytes of pipelined requests would become gigabytes of pages, all read at once.
 */
export function holdPipelinedReads(
  order: AnswerOrder,
): (request: FastifyRequest, reply: FastifyReply, done: HookHandlerDoneFunction) => void {
  const waiting = new WeakMap<Socket, number>();
  return (request, { raw: response }, done) => {
    if (!isReading(request) || !order.isWaiting(response)) return done();
    const { socket } = request.raw;
    const before = waiting.get(socket) ?? 0;
    if (before >= waitingMax) return done(tooManyPipelined());
    waiting.set(socket, before + 1);
    order.onceDue(response, () => {
      waiting.set(socket, (waiting.get(socket) ?? 1) - 1);
      // In a later turn, so that a client that reads its responses at once does not starve other clients.
      setImmediate(done);
    });
  };
}

function tooManyPipelined(): FanfareError {
  return new FanfareError(
    'limit_exceeded',
    `Too many pipelined requests (limit: ${waitingMax} per connection).`,
  );
}
