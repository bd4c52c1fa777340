import type { IncomingMessage } from 'node:http';
import type { Server } from 'socket.io';
import type { EngineInside } from '../insides/engine-inside.ts';
import { asCount } from '../insides/trial.ts';
import { Arrival } from '../limits/arrival-budget.ts';
import { packetBudget } from './packet-budget.ts';
import { guardRequests, type Refusal } from './request-guard.ts';

const refusals = {
  unknown: { status: 411, code: 3, message: 'Requests with packets must send a `Content-Length`.' },
  tooLarge: { status: 413, code: 3, message: 'The request has too many bytes.' },
  full: { status: 503, code: 3, message: 'Too much is arriving: retry later.' },
} as const satisfies Record<string, Refusal>;

/**
 * Limits the bytes of requests with packets by their `Content-Length`: of each request, and of all that are not answered together.
 * It is for an engine.io whose own limits cannot be used.
 *
 * @param bytesMaxOf - the limit for a request of a session
 */
export function limitRequestLengths(
  io: Server,
  inside: EngineInside,
  bytesMaxOf: (sid: string) => number,
): void {
  guardRequests(io, inside, (request, response) => {
    if (request.method !== 'POST' || !response) return undefined;
    const bytes = asCount(Number(request.headers['content-length'] ?? Number.NaN));
    if (bytes === undefined) return refusals.unknown;
    if (bytes > bytesMaxOf(sidOf(request))) return refusals.tooLarge;
    const arrival = new Arrival(packetBudget);
    if (!arrival.hold(bytes, 0)) return refusals.full;
    // An answer whose turn never comes has no event `close`, but its request has.
    request.once('close', () => request.readableEnded || arrival.end());
    response.once('close', () => arrival.end());
    return undefined;
  });
}

function sidOf({ url = '' }: IncomingMessage): string {
  return new URL(url, 'http://localhost').searchParams.get('sid') ?? '';
}
