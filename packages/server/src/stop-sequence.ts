import type { Composed } from './compose.ts';
import type { TcpConnections } from './http/tcp-connections.ts';
import { waitAtMost } from './limits/timeout.ts';
import { drainClients } from './socketio/drain-clients.ts';

/** How long the log may take to store and acknowledge what was published: a slow disk takes seconds for its queue. */
const acknowledgeMs = 5_000;

/** How long clients may take nothing of what is still due to them: they have gone, or do not read. */
const idleMs = 1_000;

/** How long all clients together may take for what is due to them, however slowly they read. */
const drainMs = 5_000;

/** How long clients that publish without a pause are still answered, with `draining`, before no new connection is accepted. */
const lastResponsesMs = 250;

/** How long requests that have begun to arrive may take to become complete. */
const requestsMs = 5_000;

/** The steps that only one of the two ways to run Fanfare has. */
export interface OwnSteps {
  /** A server that listens ends what it does while it is idle. */
  readonly endIdleWork?: () => void;
  /** An attached Fanfare leaves the clients of Socket.IO: those of the app's own server stay connected. */
  readonly leaveClients?: () => void;
  /** A server that listens closes its connections. Those of an app's HTTP server are the app's. */
  readonly tcpConnections?: TcpConnections;
  /** An attached Fanfare gives the HTTP server back to the app. */
  readonly leaveHttpServer?: () => void;
}

/**
 * Stops a composed Fanfare. Each step ends what depends on the later ones: publishers first, then subscribers, then
 * connections, then the log. Each wait is bounded, so a client cannot keep the server up.
 */
export async function stopInOrder(
  { path, streams, programs, socketIo: { io, isOwn }, insides, http, close }: Composed,
  { endIdleWork, leaveClients, tcpConnections, leaveHttpServer }: OwnSteps,
): Promise<void> {
  endIdleWork?.();
  // New publishes are refused from here on; those that the log has are acknowledged.
  const acknowledged = path.drain();
  // Streams get what is due to them and end meanwhile: a client of a stream comes back by itself.
  streams.end(idleMs);
  await waitAtMost(acknowledged, acknowledgeMs);
  programs.end();
  leaveClients?.();
  if (isOwn) await drainClients(io, insides.engine.packets, { idleMs, timeoutMs: drainMs });
  await tcpConnections?.emptied(lastResponsesMs);
  // Ends the sessions that have not logged in, too.
  if (isOwn) io.engine.close();
  leaveHttpServer?.();
  const deadline = setTimeout(() => tcpConnections?.destroy(), requestsMs);
  await http.close().finally(() => clearTimeout(deadline));
  await close();
}
