import type { IncomingMessage, Server as HttpServer, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { Engine, type EngineOptions } from '@fanfare/engine';
import type { ClientEnd, ClientEndParts } from './client-end.ts';
import { clientApp, type SessionEvents } from './clients/client-app.ts';
import { ClientFanOut } from './clients/client-fan-out.ts';
import type { Login, Members } from './clients/client-peer.ts';
import type { Settings } from './config/settings.ts';
import { askFirst } from './http/ask-first.ts';
import { markEndless } from './http/half-closed-connections.ts';
import { isPipelined } from './http/request-reader.ts';
import { originForm, useOriginForm } from './http/request-target.ts';
import { endWhenStalled } from './http/response-limits.ts';
import { declineUnclaimedUpgrades } from './http/unclaimed-upgrades.ts';
import { ConnectionCounts } from './limits/connection-counts.ts';
import { fixedLimits } from './limits/fixed-limits.ts';
import { AudienceMembers } from './message-path/audience-members.ts';
import { HandshakeTurns } from './clients/handshake-turns.ts';

/** The space in a packet beside the message, in bytes. Every valid subscribe and publish fits. */
const packetOverheadBytes = 65_536;

/**
 * When the sessions that wait for a login reach a tenth of their limit, connections that pipeline handshakes
 * are closed. No client needs to pipeline them.
 */
const pipelinedShare = 10;

/** The number of listeners for upgrades that an HTTP server has of ours. */
const ourUpgradeListeners = 2;

/** Makes the client end on the engine. */
export function openClientEnd(parts: ClientEndParts): ClientEnd {
  const members: Members = { plain: new AudienceMembers(), envelope: new AudienceMembers() };
  const sessions = sessionEvents(parts, () => engine.pendingLogins);
  const { settings } = parts;
  const app = clientApp({ ...parts, limits: settings }, members, sessions);
  const engine: Engine<Login> = new Engine(app, engineOptions(settings), parts.nodes?.router);
  // Not awaited, because the trial does not keep the process alive.
  engine.useDirectWrites().catch((err: unknown) => {
    parts.logger.warn({ err }, 'Writes past the streams of Node cannot be used. Deliveries cost more CPU.');
  });
  return {
    fanOut: new ClientFanOut(engine, members),
    get sessions() {
      return engine.sessions;
    },
    serve: (httpServer) => serveOn(httpServer, engine, parts),
    drain: (times) => engine.drain(times),
    close: () => engine.terminate(),
    reconfigure: () => engine.configure(engineOptions(settings)),
  };
}

function engineOptions(settings: Settings): Partial<EngineOptions> {
  const { loginTimeoutMs, loginBytesMax, loginsPendingMax } = settings;
  const { outboxBytesMax, outboxTotalBytesMax, stallTimeoutMs } = settings;
  return {
    // Twice the limit of a publish, so that a publish that is somewhat too large is refused. For a larger
    // packet, the connection is closed.
    packetBytesMax: 2 * settings.publishBytesMax + packetOverheadBytes,
    packetsPerTurnMax: fixedLimits.packetsPerTurnMax.value,
    unreadPacketsMax: fixedLimits.answersWaitingMax.value,
    loginTimeoutMs,
    loginBytesMax,
    loginsPendingMax,
    fragmentsMax: fixedLimits.fragmentsMax.value,
    loginFramesMax: fixedLimits.loginFramesMax.value,
    loginPacketsMax: fixedLimits.loginPacketsMax.value,
    outboxBytesMax,
    outboxTotalBytesMax,
    stallTimeoutMs,
    closeTimeoutMs: fixedLimits.closeAnswerMs.value,
  };
}

/** Counts sessions, and lets handshakes take turns. */
function sessionEvents(
  { settings, addresses, path, requestLogger }: ClientEndParts,
  pendingLogins: () => number,
): SessionEvents {
  const counts = new ConnectionCounts(settings);
  const handshakes = new HandshakeTurns({
    limits: settings,
    mustNotPipeline: (request) =>
      pendingLogins() >= settings.loginsPendingMax / pipelinedShare && isPipelined(request),
    refuse: (request) => {
      if (path().isDraining) return 'The server is shutting down.';
      const reason = counts.refusal(addresses.of(request));
      if (reason !== undefined) requestLogger.refusals.limit_exceeded++;
      return reason;
    },
  });
  return {
    admit: (request) => new Promise((resolve) => handshakes.take(request, resolve)),
    opened: (address) => counts.opened(address === '' ? undefined : address),
    gone: (address) => counts.closed(address === '' ? undefined : address),
  };
}

/** @returns undoes everything except listeners */
function serveOn(
  httpServer: HttpServer,
  engine: Engine<Login>,
  { settings, node, nodes }: ClientEndParts,
): () => void {
  const isOurs = ({ url = '' }: IncomingMessage): boolean => engine.isOurs({ url: originForm(url) });
  const serve = (request: IncomingMessage, response: ServerResponse): void => {
    useOriginForm(request);
    if (isPoll(request)) markEndless(response);
    endWhenStalled(response, settings.stallTimeoutMs, node.order);
    engine.handleRequest(request, response);
  };
  const upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    if (socket.destroyed || !isOurs(request)) return;
    useOriginForm(request);
    engine.handleUpgrade(request, socket, head);
  };
  askFirst(httpServer, (request, response) => {
    const isTaken = isOurs(request);
    if (isTaken) serve(request, response);
    return isTaken;
  });
  const undo = declineUnclaimedUpgrades(
    httpServer,
    isOurs,
    () => httpServer.listenerCount('upgrade') > ourUpgradeListeners,
    () => settings.loginBytesMax,
    node,
  );
  httpServer.on('upgrade', upgrade);
  nodes?.port.serve({ isOurs, request: serve, upgrade });
  return undo;
}

/** The response to a poll waits for the next packet as long as its client does. */
function isPoll({ method, url = '' }: IncomingMessage): boolean {
  return method === 'GET' && /[?&]sid=/.test(url);
}
