import type { IncomingMessage, RequestListener, Server as HttpServer, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Server } from 'socket.io';
import type { SessionRouter } from '../nodes/session-router.ts';
import { refuse, refuseUpgrade, type Guard } from './request-guard.ts';

type UpgradeListener = (request: IncomingMessage, socket: Duplex, head: Buffer) => void;

/** The code is Engine.IO's own for a session that does not exist: to the client, the session is lost. */
const unavailable = { status: 503, code: 1, message: 'The node of this session does not respond.' } as const;

export interface SessionRouting {
  readonly router: SessionRouter;
  /** Whether a request is for Socket.IO. */
  readonly isOurs: (request: IncomingMessage) => boolean;
  /** Refuses requests before they are passed on. The other node refuses the same requests. */
  readonly guard: Guard;
}

/**
 * Attaches Socket.IO to an HTTP server, with a router before it: a request whose session is on another node
 * is passed on. Engine.IO itself answers requests for a node that does not exist: it has no such session.
 */
export function attachRouted(io: Server, httpServer: HttpServer, routing: SessionRouting): void {
  const theirs = new Set(httpServer.listeners('upgrade'));
  io.attach(httpServer, { destroyUpgrade: false });
  io.engine.generateId = () => routing.router.newSessionId();
  const requests = httpServer.rawListeners('request') as RequestListener[];
  httpServer.removeAllListeners('request').on('request', (request, response) => {
    routeRequest(routing, request, response, () => {
      for (const listener of requests) listener.call(httpServer, request, response);
    });
  });
  const upgrades = httpServer.listeners('upgrade').filter((listener) => !theirs.has(listener));
  for (const listener of upgrades as UpgradeListener[]) {
    httpServer.off('upgrade', listener).on('upgrade', (request, socket, head) => {
      routeUpgrade(routing, { request, socket, head }, () =>
        listener.call(httpServer, request, socket, head),
      );
    });
  }
}

function routeRequest(
  { router, isOurs, guard }: SessionRouting,
  request: IncomingMessage,
  response: ServerResponse,
  serveHere: () => void,
): void {
  const nodeId = isOurs(request) ? router.otherNodeOf(request) : undefined;
  if (nodeId === undefined) return serveHere();
  const refusal = guard(request, response);
  if (refusal) return refuse(response, refusal);
  void router.passOn(nodeId, request, response).then((routing) => {
    if (routing === 'unknown') serveHere();
    else if (routing === 'unavailable' && !response.destroyed) refuse(response, unavailable);
  });
}

interface Upgrade {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  readonly head: Buffer;
}

function routeUpgrade(
  { router, isOurs, guard }: SessionRouting,
  { request, socket, head }: Upgrade,
  serveHere: () => void,
): void {
  const nodeId = isOurs(request) ? router.otherNodeOf(request) : undefined;
  if (nodeId === undefined) return serveHere();
  const refusal = guard(request);
  if (refusal) return refuseUpgrade(socket, refusal);
  void router.passOnUpgrade(nodeId, request, socket, head).then((routing) => {
    if (routing === 'unknown') serveHere();
    else if (routing === 'unavailable') refuseUpgrade(socket, unavailable, '503 Service Unavailable');
  });
}
