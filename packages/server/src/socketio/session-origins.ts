import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Server } from 'socket.io';
import { isAllowedOrigin } from '../access/allowed-origins.ts';
import type { EngineInside } from '../insides/engine-inside.ts';

/** Engine.IO's ways in. */
interface Engine {
  handleRequest(request: IncomingMessage, response: ServerResponse): void;
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  use(middleware: (request: IncomingMessage, response: ServerResponse, next: () => void) => void): void;
}

/** Engine.IO's code for what is answered with 403. */
const forbidden = 4;

export const strangersPage = 'A page of another origin may not connect.';

/**
 * Has each request of a session, and its upgrade, come from a page that may connect: Engine.IO's `allowRequest` is asked about the
 * first alone. No other page knows the name of a session, so it is the second lock of a door.
 */
export function checkSessionOrigins(
  io: Server,
  origins: readonly string[],
  { passesRequests }: EngineInside,
): void {
  const engine = io.engine as unknown as Engine;
  const isAllowed = ({ headers }: IncomingMessage): boolean => isAllowedOrigin(headers, origins);
  if (!passesRequests)
    return engine.use((request, response, next) => (isAllowed(request) ? next() : refuse(response)));
  const handleRequest = engine.handleRequest.bind(engine);
  const handleUpgrade = engine.handleUpgrade.bind(engine);
  engine.handleRequest = (request, response) =>
    isAllowed(request) ? handleRequest(request, response) : refuse(response);
  engine.handleUpgrade = (request, socket, head) =>
    isAllowed(request) ? handleUpgrade(request, socket, head) : refuseUpgrade(socket);
}

function refuse(response: ServerResponse): void {
  response.writeHead(403, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ code: forbidden, message: strangersPage }));
}

/** As Engine.IO refuses one. */
function refuseUpgrade(socket: Duplex): void {
  socket.on('error', () => {});
  const head = `HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-type: text/html\r\nContent-Length: ${strangersPage.length}`;
  socket.end(`${head}\r\n\r\n${strangersPage}`, () => socket.destroy());
}
