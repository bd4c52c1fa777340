import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Server } from 'socket.io';
import type { EngineInside } from '../insides/engine-inside.ts';

/** The public functions of Engine.IO that take requests. */
interface Engine {
  handleRequest(request: IncomingMessage, response: ServerResponse): void;
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  use(middleware: (request: IncomingMessage, response: ServerResponse, next: () => void) => void): void;
}

export interface Refusal {
  readonly status: number;
  /** Engine.IO's own code. */
  readonly code: number;
  readonly message: string;
}

/** Returns undefined to let a request in. A request for an upgrade has no response. */
export type Guard = (request: IncomingMessage, response?: ServerResponse) => Refusal | undefined;

/** Asks a guard about each request for Engine.IO and each upgrade. The guard is a middleware where Engine.IO's functions cannot be replaced. */
export function guardRequests(io: Server, { passesRequests }: EngineInside, guard: Guard): void {
  const engine = io.engine as unknown as Engine;
  if (!passesRequests) {
    return engine.use((request, response, next) => {
      const refusal = guard(request, response);
      if (refusal) refuse(response, refusal);
      else next();
    });
  }
  const handleRequest = engine.handleRequest.bind(engine);
  const handleUpgrade = engine.handleUpgrade.bind(engine);
  engine.handleRequest = (request, response) => {
    const refusal = guard(request, response);
    if (refusal) refuse(response, refusal);
    else handleRequest(request, response);
  };
  engine.handleUpgrade = (request, socket, head) => {
    const refusal = guard(request);
    if (refusal) refuseUpgrade(socket, refusal);
    else handleUpgrade(request, socket, head);
  };
}

/** Answers as Engine.IO does. */
export function refuse(response: ServerResponse, { status, code, message }: Refusal): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ code, message }));
}

/** Answers as Engine.IO does, which has one status for all refusals. */
export function refuseUpgrade(
  socket: Duplex,
  { message }: Pick<Refusal, 'message'>,
  status = '400 Bad Request',
): void {
  socket.on('error', () => {});
  const length = Buffer.byteLength(message);
  const head = `HTTP/1.1 ${status}\r\nConnection: close\r\nContent-type: text/html\r\nContent-Length: ${length}`;
  socket.end(`${head}\r\n\r\n${message}`, () => socket.destroy());
}
