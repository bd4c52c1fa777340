import type { Server as SocketServer } from 'socket.io';
import type { Identify } from './access/identify.ts';
import { resolveSettings } from './config/resolve-settings.ts';
import type { Settings } from './config/settings.ts';
import type { AttachedRoutes } from './http/attached-routes.ts';
import type { Program } from './program/program.ts';
import type { Logger } from './observability/logger.ts';

/** The settings of docs/configuration.md, and what only a program can give. */
export interface ServerOptions extends Partial<Settings> {
  /** Logs failures of the server. By default, pino writes them to stderr. */
  readonly logger?: Logger;
  /**
   * Decides who is asking, instead of tokens. Called for each HTTP request, stream and Socket.IO connection. Cannot be combined
   * with `key`, `keyFile` and `jwksUrl`. When it throws, the client gets `internal`, and the error is logged.
   */
  readonly identify?: Identify;
  /** The wall clock, in milliseconds since 1970. */
  readonly now?: () => number;
}

/** @throws SettingsError that names every setting that is wrong */
export function settingsOf({ logger: _logger, now: _now, identify, ...given }: ServerOptions): Settings {
  // A program that names no directory must not find one written.
  const content = { memory: given.data === undefined, ...given };
  const file = { path: 'the options', content };
  return resolveSettings({ flags: {}, env: {}, file, identifies: identify !== undefined });
}

/** The settings that the app decides when the HTTP server is the app's. */
export const listenSettings = ['host', 'port', 'requestTimeoutMs'] as const;

/** The options that have a meaning when the app listens. */
export type AttachOptions = Omit<ServerOptions, (typeof listenSettings)[number]> & {
  /** The app's Socket.IO server. Without it, Fanfare opens one on the HTTP server. */
  readonly io?: SocketServer;
  /**
   * Which HTTP requests Fanfare handles:
   *
   * - `publish`, the default: only `POST /publish`
   * - `topics`: also everything under `/topics` and `/revocations`, and `/topic`, `/messages` and `/subscribers` when the query
   * names a topic
   * - `all`: also `/identity`, `/stats` and `/connections`
   */
  readonly http?: AttachedRoutes;
};

/** Fanfare inside a program. */
export interface Fanfare extends Program {
  /** Refuses new publishes with `draining`, acknowledges those that the log already has, and closes what Fanfare opened. */
  stop(): Promise<void>;
  /**
   * Resolves once Fanfare has stopped. The value is the reason when Fanfare stopped by itself, because another server
   * has taken its data directory.
   */
  readonly ended: Promise<Error | undefined>;
}

/** Fanfare with an HTTP server of its own. */
export interface FanfareServer extends Fanfare {
  /** Starts to listen and returns the URL, such as `http://localhost:5000`. Rejects with Node's error when it cannot listen. */
  start(): Promise<string>;
}
