import type { Server as HttpServer, IncomingMessage } from 'node:http';
import type { Server as SocketServer } from 'socket.io';
import { originsOf } from './config/origins.ts';
import type { Settings } from './config/settings.ts';
import { endWhenStalled } from './http/response-limits.ts';
import { declineUnclaimedUpgrades } from './http/unclaimed-upgrades.ts';
import { markEndless } from './http/half-closed-connections.ts';
import { isPipelined } from './http/request-reader.ts';
import { originForm, useOriginForm } from './http/request-target.ts';
import type { Connections } from './message-path/connections.ts';
import type { ClientRefusalLog } from './observability/client-refusal-log.ts';
import { answerPages } from './socketio/answer-pages.ts';
import { webSocketEngine } from './socketio/answer-pings.ts';
import { checkRequests } from './socketio/check-requests.ts';
import { beginLogin } from './socketio/login-budget.ts';
import { limitLogins } from './socketio/login-limits.ts';
import { isJsonp } from './socketio/polling-turns.ts';
import { releaseHandshakes } from './socketio/release-handshake.ts';
import { logOldClients } from './socketio/old-clients.ts';
import { slowSocketHooks } from './socketio/rooms.ts';
import type { SessionCounts } from './socketio/session-counts.ts';
import { releasePolling } from './socketio/release-polling.ts';
import { endSilentUpgrades } from './socketio/silent-upgrades.ts';
import type { SocketServerOptions } from './socketio/socket-server.ts';
import type { Insides } from './try-insides.ts';

/** What a packet may have beside the message, so that every legal subscribe and publish fits. */
const packetOverheadBytes = 65_536;

/** When a tenth of the sessions that may wait for a login do, a connection that pipelines handshakes is closed: no client needs to. */
const pipelinedShare = 10;

/** Undefined lets a request in; a text refuses it and says why. */
export type Refuse = (request: IncomingMessage) => string | undefined;

/**
 * The options of Fanfare's own Socket.IO server.
 *
 * @param path - the message path; called only once clients come
 */
export function socketOptions(
  settings: Settings,
  path: () => { readonly isDraining: boolean; readonly connections: Pick<Connections, 'of'> },
  sessions: SessionCounts,
  { engine, ws }: Insides,
  refusalLog: ClientRefusalLog,
): SocketServerOptions {
  const { outboxBytesMax, outboxTotalBytesMax, stallTimeoutMs, publishBytesMax } = settings;
  const { loginTimeoutMs, loginBytesMax, loginsPendingMax } = settings;
  const hooks = slowSocketHooks(({ id }) => path().connections.of(id));
  const pipelinedMax = loginsPendingMax / pipelinedShare;
  // Without `webSocketOf`, the budget of a connection could not be ended at login.
  const onOpen: Parameters<typeof webSocketEngine>[1] = (webSocket, socket) => {
    if (engine.webSocketOf) beginLogin(webSocket, socket, settings, ws?.tellsArrived === true);
  };
  return {
    wsEngine: ws && webSocketEngine(ws, onOpen),
    loginBytesMax,
    mustNotPipeline: (request) => sessions.countPending() >= pipelinedMax && isPipelined(request),
    fanout: { outboxBytesMax, outboxTotalBytesMax, stallTimeoutMs, ...hooks },
    packetBytesMax: packetBytesMaxOf(settings),
    publishBytesMax,
    loginTimeoutMs,
    refusalLog,
    refuse: (request) => {
      if (path().isDraining) return 'The server is shutting down.';
      if (isJsonp(request)) return 'Engine.IO 4 has no JSONP.';
      return sessions.refusal(request);
    },
  };
}

/** A poll waits for what is to come as long as its client does. */
function isPoll({ method, url = '' }: IncomingMessage): boolean {
  return method === 'GET' && /[?&]sid=/.test(url);
}

/** Twice, so that a message somewhat too large is told so; over a larger packet Socket.IO closes the connection. */
function packetBytesMaxOf({ publishBytesMax }: Settings): number {
  return 2 * publishBytesMax + packetOverheadBytes;
}

/**
 * Has a Socket.IO server answer on an HTTP server, within the limits.
 *
 * @param refuse - is asked about every request
 * @returns undoes what is not a listener of the HTTP server
 */
export function openSocketServer(
  io: SocketServer,
  httpServer: HttpServer,
  settings: Settings,
  refuse: Refuse,
  sessions: SessionCounts,
  { node, engine }: Insides,
  refusalLog: ClientRefusalLog,
): () => void {
  const isOurs = ({ url = '' }: IncomingMessage): boolean => originForm(url).startsWith(`${io.path()}/`);
  io.attach(httpServer, { destroyUpgrade: false });
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
    // Beside Socket.IO's and our two.
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
  return undo;
}
