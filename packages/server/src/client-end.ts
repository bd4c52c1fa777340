import type { Server as HttpServer } from 'node:http';
import type { Access } from './access/access.ts';
import type { ClientAddresses } from './access/client-address.ts';
import type { Refuse } from './access/reachability.ts';
import type { Settings } from './config/settings.ts';
import type { NodeInside } from './insides/node-inside.ts';
import type { FanOut } from './message-path/fan-out.ts';
import type { MessagePath } from './message-path/message-path.ts';
import type { NodePort } from './nodes/node-port.ts';
import type { SessionRouter } from './nodes/session-router.ts';
import type { ClientRefusalLog } from './observability/client-refusal-log.ts';
import type { Logger } from './observability/logger.ts';
import type { RequestLogger } from './observability/unexpected-failure.ts';

/** How long clients can take to read what waits for them, in milliseconds. */
export interface DrainTimes {
  /** A client that reads nothing for this time is not waited for. */
  readonly idleMs: number;
  /** The time for all clients together. */
  readonly timeoutMs: number;
}

/** The end of the server towards Socket.IO clients. */
export interface ClientEnd {
  readonly fanOut: FanOut;
  /** The number of sessions, with those whose clients have not logged in. */
  readonly sessions: number;
  /**
   * Begins to serve the clients of an HTTP server.
   *
   * @returns a function that undoes everything except listeners of the HTTP server
   */
  serve(httpServer: HttpServer): () => void;
  /**
   * Sends each client the rest of its outbox, and closes its connection. Clients of an app's own Socket.IO
   * server stay connected.
   */
  drain(times: DrainTimes): Promise<void>;
  /** Ends all sessions that are left. */
  close(): void;
  /** Applies changed limits. */
  reconfigure(): void;
}

export interface ClientEndParts {
  /** The settings now: a reload can change them. */
  readonly settings: Settings;
  /** The origins of other web pages that may connect. A reload can change them. */
  readonly origins: readonly string[];
  readonly addresses: ClientAddresses;
  readonly refuse: Refuse;
  readonly refusalLog: ClientRefusalLog;
  readonly access: Access;
  readonly node: NodeInside;
  /** If this server is one of several nodes: what passes requests on, and what gets them. */
  readonly nodes: { readonly router: SessionRouter; readonly port: NodePort } | undefined;
  /** For events of the server. */
  readonly logger: Logger;
  /** For failures that requests can cause any number of times. */
  readonly requestLogger: RequestLogger;
  /** Returns the message path. Called only after clients have connected. */
  readonly path: () => MessagePath;
}
