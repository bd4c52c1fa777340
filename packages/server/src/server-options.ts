import type { Server as SocketServer } from 'socket.io';
import type { Identify } from './access/identify.ts';
import type { Settings } from './config/settings.ts';
import type { AttachedRoutes } from './http/attached-routes.ts';
import type { Program } from './program/program.ts';
import type { Logger } from './observability/logger.ts';

/** The settings of docs/configuration.md, and what only a program can give. */
export interface ServerOptions extends Partial<Settings> {
  /** Where failures of the server are told; pino on stderr by default. */
  readonly logger?: Logger;
  /**
   * Decides who is asking, in the place of tokens: called for each HTTP request, stream and Socket.IO connection. It cannot
   * stand with `key`, `keyFile` and `jwksUrl`. When it throws, the client gets `internal`, and the error is logged.
   */
  readonly identify?: Identify;
  /** The wall clock, in milliseconds since 1970. */
  readonly now?: () => number;
}

/** The settings that are the app's when the HTTP server is. */
export const listenSettings = ['host', 'port', 'requestTimeoutMs'] as const;

/** The settings that mean something on an HTTP server that the app itself listens with. */
export type AttachOptions = Omit<ServerOptions, (typeof listenSettings)[number]> & {
  /** The app's Socket.IO server. Without it Fanfare opens one on the HTTP server. */
  readonly io?: SocketServer;
  /**
   * Which HTTP requests become Fanfare's: `publish`, which is the default, is `POST /publish` alone; `topics` is what is
   * under `/topics` (and `/revocations`) as well, and `/topic`, `/messages` and `/subscribers` where the query names a topic; `all` is `/identity`, `/stats` and `/connections` too.
   */
  readonly http?: AttachedRoutes;
};

/** Fanfare inside a program. */
export interface Fanfare extends Program {
  /** Refuses new publishes with `draining`, answers those that the log already has, and closes what Fanfare opened. */
  stop(): Promise<void>;
  /**
   * Resolves once Fanfare has stopped: to the reason when it stopped by itself, which it does when another server has
   * taken its data directory.
   */
  readonly ended: Promise<Error | undefined>;
}

/** Fanfare with an HTTP server of its own. */
export interface FanfareServer extends Fanfare {
  /** Starts to listen, and tells the URL, such as `http://localhost:5000`. Rejects with Node's error when it cannot. */
  start(): Promise<string>;
}
