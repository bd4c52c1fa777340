import type { Composed } from './compose.ts';
import type { TcpConnections } from './http/tcp-connections.ts';
import { waitAtMost } from './limits/timeout.ts';

/**
 * How long the log can take to store and acknowledge the publishes before the stop. A slow disk takes seconds
 * for its queue.
 */
const acknowledgeMs = 5_000;

/** A client that reads none of its outbox for this time is not waited for: it has gone, or does not read. */
const idleMs = 1_000;

/** How long all clients together can take to read their outboxes, however slowly they read. */
const drainMs = 5_000;

/** How long publishes still get the response `draining`. After this time, no new connection is accepted. */
const lastResponsesMs = 250;

/** How long requests that have arrived in part can take to become complete. */
const requestsMs = 5_000;

/** The steps that apply only to a server of our own, or only to an attached Fanfare. */
export interface OwnSteps {
  /** Our own server: ends the work that it does while it is idle. */
  readonly endIdleWork?: () => void;
  /**
   * Our own server: its connections, which are closed. The connections of an app's HTTP server belong to the
   * app.
   */
  readonly tcpConnections?: TcpConnections;
  /** Attached: gives the HTTP server back to the app. */
  readonly leaveHttpServer?: () => void;
}

/**
 * Stops a composed Fanfare: first publishers, then subscribers, then connections, then the log. In this
 * order, no part is closed while another still needs it. Each wait has a limit, so no client can keep the
 * server running.
 */
export async function stopInOrder(
  { path, streams, programs, clientEnd, nodes, http, close }: Composed,
  { endIdleWork, tcpConnections, leaveHttpServer }: OwnSteps,
): Promise<void> {
  endIdleWork?.();
  // From here on, new publishes are refused. Publishes that the log already has are acknowledged.
  const acknowledged = path.drain();
  // Meanwhile, streams get the rest of their outboxes and end. Their clients reconnect by themselves.
  streams.end(idleMs);
  await waitAtMost(acknowledged, acknowledgeMs);
  programs.end();
  await clientEnd.drain({ idleMs, timeoutMs: drainMs });
  await tcpConnections?.emptied(lastResponsesMs);
  // This also ends the sessions that have not logged in.
  clientEnd.close();
  // Until here, clients of this node could read their outboxes through other nodes.
  await nodes?.close();
  leaveHttpServer?.();
  const deadline = setTimeout(() => tcpConnections?.destroy(), requestsMs);
  await http.close().finally(() => clearTimeout(deadline));
  await close();
}
