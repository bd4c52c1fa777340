import type { Socket } from 'node:net';
import type { FastifyReply, FastifyRequest, HookHandlerDoneFunction } from 'fastify';
import { TurnTaking } from '../limits/turn-taking.ts';

/** How many requests of a connection are read in a turn of the event loop, beside those that have been read by then. */
const requestsPerTurnMax = 32;

/** A hook that has connections which send request after request, and wait for no answer, take turns with all others. */
export function takeTurns(): (
  request: FastifyRequest,
  reply: FastifyReply,
  done: HookHandlerDoneFunction,
) => void {
  const turns = new TurnTaking<Socket>({ perTurnMax: requestsPerTurnMax, pause, resume });
  return ({ raw }, _reply, done) => {
    turns.count(raw.socket);
    done();
  };
}

function pause(socket: Socket): void {
  // Node has it go on as soon as somebody asks for the body of a request.
  socket.on('resume', pauseAgain).pause();
}

function pauseAgain(this: Socket): void {
  this.pause();
}

function resume(socket: Socket): void {
  socket.off('resume', pauseAgain).resume();
}
