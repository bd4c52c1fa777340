import type { Server as HttpServer, IncomingMessage } from 'node:http';
import type { Server as SocketServer } from 'socket.io';
import type { ClientAddresses } from './access/client-address.ts';
import type { Refuse } from './access/reachability.ts';
import { packetBytesMaxOf } from './client-end.ts';
import { originsOf } from './config/origins.ts';
import type { Settings } from './config/settings.ts';
import { markEndless } from './http/half-closed-connections.ts';
import { isPipelined } from './http/request-reader.ts';
import { originForm, useOriginForm } from './http/request-target.ts';
import { endWhenStalled } from './http/response-limits.ts';
import { declineUnclaimedUpgrades } from './http/unclaimed-upgrades.ts';
import type { NodeInside } from './insides/node-inside.ts';
import { ConnectionCounts } from './limits/connection-counts.ts';
import type { Connections } from './message-path/connections.ts';
import type { NodePort, PassedOnRequests } from './nodes/node-port.ts';
import type { SessionRouter } from './nodes/session-router.ts';
import type { ClientRefusalLog } from './observability/client-refusal-log.ts';
import { answerPages } from './socketio/answer-pages.ts';
import { webSocketEngine } from './socketio/answer-pings.ts';
import { checkRequests, requestCheck } from './socketio/check-requests.ts';
import { beginLogin } from './socketio/login-budget.ts';
import { limitLogins } from './socketio/login-limits.ts';
import { logOldClients } from './socketio/old-clients.ts';
import type { PollingResponses } from './socketio/polling-responses.ts';
import { isJsonp } from './socketio/polling-turns.ts';
import { releaseHandshakes } from './socketio/release-handshake.ts';
import { overflowTo } from './socketio/room-fan-out.ts';
import { releasePolling } from './socketio/release-polling.ts';
import { SessionCounts } from './socketio/session-counts.ts';
import { attachRouted } from './socketio/session-routing.ts';
import { endSilentUpgrades } from './socketio/silent-upgrades.ts';
import { createSocketServer, type SocketServerOptions } from './socketio/socket-server.ts';
import type { Insides } from './try-insides.ts';

/**
 * When the sessions that wait for a login reach a tenth of their limit, connections that pipeline handshakes
 * are closed. No client needs to pipeline them.
 */
const pipelinedShare = 10;

export interface SocketIoParts {
  readonly settings: Settings;
  readonly addresses: ClientAddresses;
  readonly refuse: Refuse;
  readonly refusalLog: ClientRefusalLog;
  readonly insides: Insides;
  readonly node: NodeInside;
  /** If this server is one of several nodes: what passes requests on, and what gets them. */
  readonly nodes?: { readonly router: SessionRouter; readonly port: NodePort } | undefined;
  /** Returns the message path. Called only after clients have connected. */
  readonly path: () => { readonly isDraining: boolean; readonly connections: Pick<Connections, 'of'> };
}

/** Fanfare's own Socket.IO server. */
export interface SocketIo {
  readonly io: SocketServer;
  /**
   * Serves clients on an HTTP server, with Fanfare's own Socket.IO server and its limits.
   *
   * @param polling - watches the responses to the clients' polls
   * @returns a function that undoes everything except listeners of the HTTP server
   */
  readonly serve: (httpServer: HttpServer, polling?: PollingResponses) => () => void;
}

export function composeSocketIo(parts: SocketIoParts): SocketIo {
  const sessions = new SessionCounts(new ConnectionCounts(parts.settings), parts.addresses);
  const io = createSocketServer(socketOptions(parts, sessions));
  return {
    io,
    serve: (httpServer, polling) => {
      const undo = serveOn(httpServer, io, sessions, parts);
      polling?.beginAll(io);
      return undo;
    },
  };
}

function socketOptions(
  { settings, insides: { engine, ws }, refusalLog, path }: SocketIoParts,
  sessions: SessionCounts,
): SocketServerOptions {
  const { outboxBytesMax, outboxTotalBytesMax, stallTimeoutMs, publishBytesMax } = settings;
  const { loginTimeoutMs, loginBytesMax, loginsPendingMax } = settings;
  const onOverflow = overflowTo(({ id }) => path().connections.of(id));
  const pipelinedMax = loginsPendingMax / pipelinedShare;
  // Without `webSocketOf`, the budget of a connection could not be ended at login.
  const onOpen: Parameters<typeof webSocketEngine>[1] = (webSocket, socket) => {
    if (engine.webSocketOf) beginLogin(webSocket, socket, settings, ws?.tellsArrived === true);
  };
  return {
    wsEngine: ws && webSocketEngine(ws, onOpen),
    loginBytesMax,
    mustNotPipeline: (request) => sessions.countPending() >= pipelinedMax && isPipelined(request),
    fanout: { outboxBytesMax, outboxTotalBytesMax, stallTimeoutMs, onOverflow },
    packetBytesMax: packetBytesMaxOf(settings),
    publishBytesMax,
    loginTimeoutMs,
    refusalLog,
    refuse: (request) => {
      if (path().isDraining) return 'The server is shutting down.';
      if (isJsonp(request)) return 'JSONP is not supported: Engine.IO 4 does not have it.';
      return sessions.refusal(request);
    },
  };
}

function serveOn(
  httpServer: HttpServer,
  io: SocketServer,
  sessions: SessionCounts,
  { settings, refuse, node, insides: { engine }, refusalLog, nodes }: SocketIoParts,
): () => void {
  const isOurs = ({ url = '' }: IncomingMessage): boolean => originForm(url).startsWith(`${io.path()}/`);
  if (nodes) attachRouted(io, httpServer, { router: nodes.router, isOurs, guard: requestCheck(refuse) });
  else io.attach(httpServer, { destroyUpgrade: false });
  answerPages(httpServer, isOurs, originsOf(settings));
  httpServer.prependListener('upgrade', (request) => isOurs(request) && useOriginForm(request));
  httpServer.prependListener('request', (request, response) => {
    if (!isOurs(request)) return;
    useOriginForm(request);
    if (isPoll(request)) markEndless(response);
    endWhenStalled(response, settings.stallTimeoutMs, node.order);
  });
  const undo = declineUnclaimedUpgrades(
    httpServer,
    isOurs,
    // True if there are more listeners than Socket.IO's and our two.
    () => httpServer.listenerCount('upgrade') > 3,
    settings.loginBytesMax,
    node,
  );
  logOldClients(io, refusalLog);
  checkRequests(io, refuse, engine);
  releaseHandshakes(io, engine);
  sessions.countPending = limitLogins(
    io,
    { ...settings, packetBytesMax: packetBytesMaxOf(settings) },
    engine,
  );
  sessions.watch(io, engine);
  releasePolling(io, engine);
  endSilentUpgrades(io);
  nodes?.port.serve(asPassedOn(httpServer, isOurs));
  return undo;
}

/** Requests that other nodes pass on take the same way as requests of clients, from here on. */
function asPassedOn(httpServer: HttpServer, isOurs: PassedOnRequests['isOurs']): PassedOnRequests {
  const [requests, upgrades] = [httpServer.rawListeners('request'), httpServer.rawListeners('upgrade')];
  return {
    isOurs,
    request: (...exchange) => {
      for (const listener of requests) listener.apply(httpServer, exchange);
    },
    upgrade: (...offer) => {
      for (const listener of upgrades) listener.apply(httpServer, offer);
    },
  };
}

/** The response to a poll waits for the next packet as long as its client does. */
function isPoll({ method, url = '' }: IncomingMessage): boolean {
  return method === 'GET' && /[?&]sid=/.test(url);
}
