import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Server } from 'socket.io';
import { Arrival } from '../limits/arrival-room.ts';
import { packetRoom } from './packet-room.ts';

/** Engine.IO's way in. */
interface Engine {
  handleRequest(request: IncomingMessage, response: ServerResponse): void;
}

/**
 * Bounds what requests with packets bring by the length that they say they have: one by one, and all that are not answered together.
 * For an engine.io whose inside is not as known, so that nothing tells what has come of them.
 *
 * @param bytesMaxOf - how many bytes a request of a session may bring
 */
export function limitRequestLengths(io: Server, bytesMaxOf: (sid: string) => number): void {
  const engine = io.engine as unknown as Engine;
  const handleRequest = engine.handleRequest.bind(engine);
  engine.handleRequest = (request, response) => {
    if (request.method !== 'POST') return handleRequest(request, response);
    const bytes = Number(request.headers['content-length'] ?? Number.NaN);
    if (Number.isNaN(bytes)) return refuse(response, 411);
    if (bytes > bytesMaxOf(sidOf(request))) return refuse(response, 413);
    const arrival = new Arrival(packetRoom);
    if (!arrival.hold(bytes, 0)) return refuse(response, 503);
    // Of an answer whose turn never comes, only its connection tells.
    request.once('close', () => request.readableEnded || arrival.end());
    response.once('close', () => arrival.end());
    handleRequest(request, response);
  };
}

function sidOf({ url = '' }: IncomingMessage): string {
  return new URL(url, 'http://localhost').searchParams.get('sid') ?? '';
}

/** What still comes is not read. */
function refuse(response: ServerResponse, status: number): void {
  response.writeHead(status, { connection: 'close' }).end();
}
