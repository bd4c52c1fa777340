import type { Server as HttpServer } from 'node:http';
import { FanfareError } from '@fanfare/protocol';
import type { Server as SocketServer } from 'socket.io';
import { resolveSettings, SettingsError } from './config/resolve-settings.ts';
import type { Settings } from './config/settings.ts';
import { allowHalfClosedClients } from './http/half-closed-connections.ts';
import { TcpConnections } from './http/tcp-connections.ts';
import { readRequestsInTurns } from './http/request-reader.ts';
import { urlOf } from './http/server-url.ts';
import { isAttachedRoute } from './http/attached-routes.ts';
import { shareHttpServer } from './http/shared-http-server.ts';
import { ConnectionCounts } from './limits/connection-counts.ts';
import { waitAtMost } from './limits/timeout.ts';
import { compose, type Composed } from './compose.ts';
import { ClientRefusalLog } from './observability/client-refusal-log.ts';
import { defaultLogger } from './observability/logger.ts';
import {
  listenSettings,
  type AttachOptions,
  type Fanfare,
  type FanfareServer,
  type ServerOptions,
} from './server-options.ts';
import { programOf } from './program/program.ts';
import { Shutdown } from './shutdown.ts';
import { collectWhenIdle } from './idle-collection.ts';
import { listenToClients } from './socketio/events.ts';
import { drainClients } from './socketio/drain-clients.ts';
import { SessionCounts } from './socketio/session-counts.ts';
import { createSocketServer } from './socketio/socket-server.ts';
import { clientAddressesOf } from './config/trust-proxy.ts';
import { originsOf } from './config/origins.ts';
import { openSocketServer, socketOptions } from './open-socketio.ts';
import { tryInsides } from './try-insides.ts';
import { strangers, strangersRequests } from './reachability.ts';

/** How long `stop` waits for the log, to acknowledge what was published. A slow disk takes seconds for what waits. */
const acknowledgeMs = 5_000;

/** How long `stop` waits for clients of which none takes anything of what is still due to them. */
const goodbyeMs = 1_000;

/** How long `stop` goes on answering, with `draining`, those who publish again and again over one connection. */
const lastAnswersMs = 250;

/** How long `stop` waits for clients that take what is due to them, and then for requests that have begun to arrive. */
const stopGraceMs = 5_000;

/**
 * Makes a server; `start()` starts it.
 *
 * @throws SettingsError that names every setting that is wrong
 */
export function createServer(options: ServerOptions = {}): FanfareServer {
  const settings = settingsOf(options);
  let starting: Promise<Running> | undefined;
  // Whoever started it was told when it could not.
  const ending = new Shutdown(async () => (await starting?.catch(() => undefined))?.stop());
  return {
    ...programOf(async () => {
      if (!starting) throw new FanfareError('draining', 'The server has not been started.');
      return (await starting).composed;
    }),
    start: async () => {
      starting ??= run(options, settings, (error) => ending.fail(error));
      return (await starting).url;
    },
    stop: async () => {
      if (starting) await ending.begin();
    },
    ended: ending.ended,
  };
}

/** A server that listens. */
interface Running {
  readonly url: string;
  readonly composed: Composed;
  stop(): Promise<void>;
}

async function run(
  options: ServerOptions,
  settings: Settings,
  onLost: (error: Error) => void,
): Promise<Running> {
  // Who can reach the server was decided by the address that it listens on.
  const { logger = defaultLogger() } = options;
  const refusalLog = new ClientRefusalLog(logger);
  const addresses = clientAddressesOf(settings);
  const refuse = refusalLog.logged(strangersRequests(settings, options.identify !== undefined), addresses);
  const sessions = new SessionCounts(new ConnectionCounts(settings), addresses);
  const insides = await tryInsides(logger);
  const io = createSocketServer(socketOptions(settings, () => path, sessions, insides, refusalLog));
  const composed = await compose(options, { settings, addresses, refuse, io, logger, insides, onLost });
  const { path, http, streams, programs, polling, close } = composed;
  openSocketServer(io, http.server, settings, refuse, sessions, insides, refusalLog);
  polling.beginAll(io);
  listenToClients(io, { ...composed, addresses, insides, refuseUnknown: true });
  // Node's own answer to those would take no turns.
  http.server.on('checkExpectation', (...exchange) => http.server.emit('request', ...exchange));
  readRequestsInTurns(http.server, insides.node);
  allowHalfClosedClients(http.server, insides.node);
  const sockets = new TcpConnections(http.server, new ConnectionCounts(settings), addresses);
  http.addHook('preClose', async () => void io.engine.close());
  // For `localhost` Fastify would open a second server for the other family, which Socket.IO knows nothing of.
  const host = settings.host.toLowerCase() === 'localhost' ? '127.0.0.1' : settings.host;
  try {
    await http.listen({ host, port: settings.port });
  } catch (error) {
    await close();
    throw error;
  }
  const stopReturning = collectWhenIdle(() => io.engine.clientsCount);
  return {
    url: urlOf(http.server),
    composed,
    stop: async () => {
      stopReturning();
      const acknowledged = path.drain();
      streams.end(goodbyeMs);
      await waitAtMost(acknowledged, acknowledgeMs);
      programs.end();
      await drainClients(io, insides.engine.packets, { idleMs: goodbyeMs, timeoutMs: stopGraceMs });
      await sockets.emptied(lastAnswersMs);
      const lastCall = setTimeout(() => sockets.destroy(), stopGraceMs);
      await http.close().finally(() => clearTimeout(lastCall));
      await close();
    },
  };
}

/** A second Fanfare there would take the upgrades of the first. */
const attached = new WeakSet<HttpServer>();

/**
 * Adds Fanfare to an HTTP server that an app (Express, Fastify, plain Node …) already answers: `POST /publish`
 * and Socket.IO become Fanfare's, and with `http: 'topics'` what is under `/topics`; every other request stays the
 * app's. Call it once the app's own listener is
 * on the HTTP server. Without `open`, requests that come to an address other than a loopback one are refused, but
 * for those of the app's own Socket.IO server, which lets in whom it likes. An app that closes gracefully calls
 * `stop()` first: connected clients would keep it open.
 *
 * @throws SettingsError that names every setting that is wrong
 * @throws Error when there is a Fanfare on the HTTP server already
 */
export async function attach(httpServer: HttpServer, options: AttachOptions = {}): Promise<Fanfare> {
  if (attached.has(httpServer)) throw new Error('Fanfare is attached to this HTTP server already.');
  const settings = attachSettingsOf(options);
  attached.add(httpServer);
  const attaching = runAttached(httpServer, options, settings, (error) => ending.fail(error));
  const ending = new Shutdown(async () => (await attaching.catch(() => undefined))?.stop());
  const { composed } = await attaching.catch((error: unknown) => {
    attached.delete(httpServer);
    throw error;
  });
  return { ...programOf(async () => composed), stop: () => ending.begin(), ended: ending.ended };
}

/** Adds Fanfare to an HTTP server that listens, or will. */
async function runAttached(
  httpServer: HttpServer,
  { io: theirs, http: taken = 'publish', ...options }: AttachOptions,
  settings: Settings,
  onLost: (error: Error) => void,
): Promise<Omit<Running, 'url'>> {
  const { logger = defaultLogger() } = options;
  const refusalLog = new ClientRefusalLog(logger);
  const addresses = clientAddressesOf(settings);
  const refuse = refusalLog.logged(strangers(settings, options.identify !== undefined), addresses);
  const sessions = new SessionCounts(new ConnectionCounts(settings), addresses);
  const insides = await tryInsides(logger, theirs);
  const io: SocketServer =
    theirs ?? createSocketServer(socketOptions(settings, () => path, sessions, insides, refusalLog));
  const composed = await compose(options, { settings, addresses, refuse, io, logger, insides, onLost });
  const { path, http, streams, programs, polling, close } = composed;
  await http.ready();
  const events = { ...composed, addresses, insides, refuseUnknown: !theirs };
  const stopListening = listenToClients(io, events);
  const answersPreflights = originsOf(settings).length > 0;
  const stopSharing = shareHttpServer(httpServer, {
    isOurs: (request) => isAttachedRoute(request, taken, answersPreflights),
    answer: (request, response) => http.routing(request, response),
    addOthers: () => {
      if (theirs) return () => {};
      const undo = openSocketServer(io, httpServer, settings, refuse, sessions, insides, refusalLog);
      polling.beginAll(io);
      return undo;
    },
    node: insides.node,
  });
  return {
    composed,
    stop: async () => {
      const acknowledged = path.drain();
      streams.end(goodbyeMs);
      await waitAtMost(acknowledged, acknowledgeMs);
      programs.end();
      stopListening();
      if (!theirs) {
        await drainClients(io, insides.engine.packets, { idleMs: goodbyeMs, timeoutMs: stopGraceMs });
        io.engine.close();
      }
      stopSharing();
      attached.delete(httpServer);
      await http.close();
      await close();
    },
  };
}

function settingsOf({ logger: _logger, now: _now, identify, ...given }: ServerOptions): Settings {
  // A program that names no directory gets none written to.
  const content = { memory: given.data === undefined, ...given };
  const file = { path: 'the options', content };
  return resolveSettings({ flags: {}, env: {}, file, identifies: identify !== undefined });
}

function attachSettingsOf({ io: _io, http: _http, ...options }: AttachOptions): Settings {
  const wrong = listenSettings.filter((name) => Object.hasOwn(options, name));
  if (wrong.length > 0)
    throw new SettingsError([`attach() has no ${wrong.join(', ')}: it is the app that listens.`]);
  return settingsOf(options);
}
