import type { IncomingMessage } from 'node:http';
import type { Server } from 'socket.io';
import type { EngineInside } from '../insides/engine-inside.ts';
import { hostProblem } from '../access/host-header.ts';
import { guardRequests, type Guard } from './request-guard.ts';

/** Engine.IO's own numbers. */
const malformed = { status: 400, code: 3 } as const;
const forbidden = { status: 403, code: 4 } as const;

/**
 * Refuses malformed and strangers' requests, those of a session and its upgrade too: Engine.IO's `allowRequest` is asked about the first alone. No other
 * page knows the name of a session, so for these it is the second lock of a door.
 *
 * @param refuse - undefined lets a request in; a text refuses it and says why
 */
export function checkRequests(
  io: Server,
  refuse: (request: IncomingMessage) => string | undefined,
  inside: EngineInside,
): void {
  guardRequests(io, inside, requestCheck(refuse));
}

/** @param refuse - undefined lets a request in; a text refuses it and says why */
export function requestCheck(refuse: (request: IncomingMessage) => string | undefined): Guard {
  return (request) => {
    const problem = hostProblem(request);
    if (problem !== undefined) return { ...malformed, message: problem };
    const message = refuse(request);
    return message === undefined ? undefined : { ...forbidden, message };
  };
}
