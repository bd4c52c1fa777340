import type { Composed } from './compose.ts';
import type { TcpConnections } from './http/tcp-connections.ts';
import { setTimeout as sleep } from 'node:timers/promises';
import type { StopSettings } from './config/stop-settings.ts';
import { waitAtMost } from './limits/timeout.ts';

/** A client that reads none of its outbox for this time is not waited for: it has gone, or does not read. */
const idleMs = 1_000;

/** How long publishes still get the response `draining`. After this time, no new connection is accepted. */
const lastResponsesMs = 250;

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
 * order, no part is closed while another still needs it. Load balancers are told before. All waits for
 * clients and for the disk together have a limit, so no client can keep the server running.
 */
export async function stopInOrder(
  { serverLog, announceStop, path, streams, programs, clientEnd, nodes, http, close }: Composed,
  { stopNoticeMs, drainTimeoutMs }: Pick<StopSettings, 'stopNoticeMs' | 'drainTimeoutMs'>,
  { endIdleWork, tcpConnections, leaveHttpServer }: OwnSteps,
): Promise<void> {
  endIdleWork?.();
  serverLog.stopping();
  announceStop();
  if (stopNoticeMs > 0) await sleep(stopNoticeMs);
  const endsAt = performance.now() + drainTimeoutMs;
  const leftMs = (atMost = Infinity): number => Math.max(0, Math.min(endsAt - performance.now(), atMost));
  // From here on, new publishes are refused. Publishes that the log already has are acknowledged.
  const acknowledged = path.drain();
  // Meanwhile, streams get the rest of their outboxes and end. Their clients reconnect by themselves.
  streams.end(idleMs);
  await waitAtMost(acknowledged, leftMs());
  programs.end();
  await clientEnd.drain({ idleMs, timeoutMs: leftMs() });
  await tcpConnections?.emptied(leftMs(lastResponsesMs));
  // This also ends the sessions that have not logged in.
  clientEnd.close();
  // Until here, clients of this node could read their outboxes through other nodes.
  await nodes?.close();
  leaveHttpServer?.();
  // Requests that have arrived in part can still become complete.
  const deadline = setTimeout(() => tcpConnections?.destroy(), leftMs());
  await http.close().finally(() => clearTimeout(deadline));
  await close();
  serverLog.stopped();
}
