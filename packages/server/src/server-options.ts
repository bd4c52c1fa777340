import type { Server as SocketServer } from 'socket.io';
import type { Identify } from './access/identify.ts';
import { resolveSettings } from './config/resolve-settings.ts';
import type { Settings } from './config/settings.ts';
import type { AttachedRoutes } from './http/attached-routes.ts';
import type { Reloaded } from './http/reload-route.ts';
import type { Program } from './program/program.ts';
import type { Logger } from './observability/logger.ts';

/** The settings of docs/configuration.md, and options that only a program can give. */
export interface ServerOptions extends Partial<Settings> {
  /** Logs events and failures of the server. By default, pino writes them to stderr as lines of JSON. */
  readonly logger?: Logger;
  /**
   * Identifies clients, in place of tokens. Called for each HTTP request, stream and Socket.IO connection.
   * Cannot be combined with `key`, `keyFile` and `jwksUrl`. If it throws, the client gets the error
   * `internal`, and the server logs the error.
   */
  readonly identify?: Identify;
  /**
   * Reads the settings again, for `reload()` and `POST /reload`. Without it, the settings cannot be reloaded.
   * To refuse a reload, throw a SettingsError.
   */
  readonly readSettings?: () => Promise<Settings>;
  /** The wall clock, in milliseconds since 1970. By default `Date.now`. */
  readonly now?: () => number;
}

/** @throws SettingsError that names all wrong settings */
export function settingsOf({
  logger: _logger,
  now: _now,
  readSettings: _readSettings,
  identify,
  ...given
}: ServerOptions): Settings {
  // If a program names no directory, the server must not create one.
  const content = { memory: given.data === undefined && !given.redis, ...given };
  const file = { path: 'the options', content };
  return resolveSettings({ flags: {}, env: {}, file, identifies: identify !== undefined });
}

/** The settings that do not apply to the HTTP server of an app. */
export const listenSettings = [
  'host',
  'port',
  'listen',
  'tlsCert',
  'tlsKey',
  'requestTimeoutMs',
  'adminListen',
] as const;

/** The options of {@link attach}: all except the settings of Fanfare's own HTTP server. */
export type AttachOptions = Omit<ServerOptions, (typeof listenSettings)[number]> & {
  /** The app's Socket.IO server. Without it, Fanfare opens a Socket.IO server on the HTTP server. */
  readonly io?: SocketServer;
  /**
   * The HTTP requests that Fanfare handles:
   *
   * - `publish`, the default: only `POST /publish`
   * - `topics`: also everything under `/topics` and `/revocations`, and `/topic`, `/messages` and
   *   `/subscribers` if the query names a topic
   * - `all`: also `/identity`, `/stats`, `/connections`, `/metrics`, `/reload`, `/healthz` and `/readyz`, and
   *   the documents of the API: `/openapi.json`, `/asyncapi.json` and `/reference`
   */
  readonly http?: AttachedRoutes;
};

/** Fanfare as a part of a program. */
export interface Fanfare extends Program {
  /**
   * Stops Fanfare. From now on, publishes are refused with `draining`. Publishes that the log already has are
   * acknowledged. Resolves after everything that Fanfare opened is closed.
   */
  stop(): Promise<void>;
  /**
   * Reads the settings again, and puts those in force that do not need a restart: all of them or, if any is
   * wrong, none.
   *
   * @throws FanfareError `settings_invalid` with all problems, `not_found` without `readSettings`
   */
  reload(): Promise<Reloaded>;
  /**
   * Resolves after Fanfare has stopped. The value is undefined after `stop()`. It is an error if Fanfare
   * stopped by itself, because another server has taken its data directory.
   */
  readonly ended: Promise<Error | undefined>;
}

/** Fanfare with an HTTP server of its own. */
export interface FanfareServer extends Fanfare {
  /**
   * Opens the data directory, and listens.
   *
   * @returns the URL of the server, such as `http://localhost:5000`, or `unix:` and the path of its socket
   * @throws SettingsError; DataDirectoryError or LogDamagedError if the data cannot be used; Node's error if
   *   it cannot listen
   */
  start(): Promise<string>;
  /** The URL of the address for operators, if there is one (`adminListen`) and the server has started. */
  readonly adminUrl: string | undefined;
}
