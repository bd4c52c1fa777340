import { randomBytes } from 'node:crypto';
import type { Server as HttpServer } from 'node:http';
import { FanfareError, type PublishResult } from '@fanfare/protocol';
import type { FastifyInstance } from 'fastify';
import type { Server as SocketServer, Socket as ConnectedSocket } from 'socket.io';
import { Access } from './access/access.ts';
import { algorithms } from './access/algorithms.ts';
import { KeyError } from './access/jwt-keys.ts';
import { openVerifier } from './access/open-verifier.ts';
import type { TokenVerifier } from './access/token-verifier.ts';
import { resolveSettings, SettingsError } from './config/resolve-settings.ts';
import type { Settings } from './config/settings.ts';
import { EventStreams } from './http/event-streams.ts';
import { buildHttpServer } from './http/http-server.ts';
import { OpenSockets } from './http/open-sockets.ts';
import { takeTurns } from './http/take-turns.ts';
import { urlOf } from './http/server-url.ts';
import { isTaken, shareServer, type Taken } from './http/share-server.ts';
import { ConnectionCounts } from './limits/connection-counts.ts';
import { inTime } from './limits/in-time.ts';
import { rateLimitsOf } from './limits/rate-limits.ts';
import type { Connection } from './message-path/accept.ts';
import { MessagePath } from './message-path/message-path.ts';
import { defaultLogger, type Logger } from './observability/logger.ts';
import { asRefusal } from './observability/refusal.ts';
import { openLog, rulesOf } from './open-log.ts';
import { Vitals } from './observability/vitals.ts';
import { returnMemoryWhenIdle } from './return-memory.ts';
import { listenToClients } from './socketio/events.ts';
import { sayGoodbye } from './socketio/goodbye.ts';
import { RoomFanOut } from './socketio/rooms.ts';
import { SessionCounts } from './socketio/session-counts.ts';
import { SubscriptionIndex } from './subscriptions/subscription-index.ts';
import { createSocketServer } from './socketio/socket-server.ts';
import { originsOf } from './config/origins.ts';
import { openSockets, socketOptions, type Refuse } from './open-socketio.ts';
import { tryInsides, type Insides } from './try-insides.ts';
import { strangers, strangersHosts } from './refuse-strangers.ts';

/** The settings of docs/configuration.md, and what only a program can give. */
export interface ServerOptions extends Partial<Settings> {
  /** Where failures of the server are told; pino on stderr by default. */
  readonly logger?: Logger;
  /** The wall clock, in milliseconds since 1970. */
  readonly now?: () => number;
}

/** The settings that are the app's when the HTTP server is. */
const listenSettings = ['host', 'port', 'requestTimeoutMs'] as const;

/** The settings that mean something on an HTTP server that the app itself listens with. */
export type AttachOptions = Omit<ServerOptions, (typeof listenSettings)[number]> & {
  /** The app's Socket.IO server. Without it Fanfare opens one on the HTTP server. */
  readonly io?: SocketServer;
  /**
   * Which HTTP requests become Fanfare's: `publish`, which is the default, is `POST /publish` alone; `topics` is what is
   * under `/topics` (and `/revocations`) as well; `all` is `/identity`, `/stats` and `/connections` too.
   */
  readonly http?: Taken;
};

/** Fanfare inside a program. */
export interface Fanfare {
  /**
   * Publishes a message, by the same rules as `POST /publish`.
   *
   * @param message - any JSON value
   * @throws FanfareError, such as `topic_not_found` when nobody has ever subscribed
   */
  publish(topic: string, message: unknown, options?: { readonly id?: string }): Promise<PublishResult>;
  /** Refuses new publishes with `draining`, answers those that the log already has, and closes what Fanfare opened. */
  stop(): Promise<void>;
}

/** Fanfare with an HTTP server of its own. */
export interface FanfareServer extends Fanfare {
  /** Starts to listen, and tells the URL, such as `http://localhost:5000`. Rejects with Node's error when it cannot. */
  start(): Promise<string>;
}

/** As long as Socket.IO's, and as hard to guess. */
const makeId = (): string => randomBytes(15).toString('base64url');

/** How long `stop` waits for clients to take what is still due to them. */
const goodbyeMs = 1_000;

/** Proxies commonly cut off a response that was silent for a minute, some for half of one. */
const heartbeatMs = 15_000;

/** How long `stop` goes on answering, with `draining`, those who publish again and again over one connection. */
const lastAnswersMs = 250;

/** How long `stop` waits for requests that have begun to arrive. */
const stopGraceMs = 5_000;

/**
 * Makes a server; `start()` starts it.
 *
 * @throws SettingsError that names every setting that is wrong
 */
export function createServer(options: ServerOptions = {}): FanfareServer {
  const settings = settingsOf(options);
  let starting: Promise<Running> | undefined;
  return {
    publish: async (topic, message, { id } = {}) => {
      if (!starting) throw new FanfareError('draining', 'The server has not been started.');
      return (await starting).publish({ topic, message, id });
    },
    start: async () => {
      starting ??= run(options, settings);
      return (await starting).url;
    },
    // Whoever started it was told when it could not.
    stop: async () => (await starting?.catch(() => undefined))?.stop(),
  };
}

/** A server that listens. */
interface Running {
  readonly url: string;
  readonly publish: (input: object) => Promise<PublishResult>;
  stop(): Promise<void>;
}

async function run(options: ServerOptions, settings: Settings): Promise<Running> {
  // Who can reach the server was decided by the address that it listens on.
  const refuse = strangersHosts(settings);
  const connections = new Map<ConnectedSocket, Connection>();
  const sessions = new SessionCounts(new ConnectionCounts(settings));
  const { logger = defaultLogger() } = options;
  const insides = await tryInsides(logger);
  const io = createSocketServer(
    socketOptions(settings, refuse, () => path.isDraining, connections, sessions, insides),
  );
  const parts = { settings, refuse, io, logger, insides };
  const { path, http, streams, access, close } = await compose(options, parts);
  openSockets(io, http.server, settings, sessions, insides);
  listenToClients(io, { path, access, connections, logger, insides, refuseUnknown: true });
  // Node's own answer to those would take no turns.
  http.server.on('checkExpectation', (...exchange) => http.server.emit('request', ...exchange));
  takeTurns(http.server, insides.node);
  const sockets = new OpenSockets(http.server, new ConnectionCounts(settings));
  http.addHook('preClose', async () => void io.engine.close());
  // For `localhost` Fastify would open a second server for the other family, which Socket.IO knows nothing of.
  const host = settings.host.toLowerCase() === 'localhost' ? '127.0.0.1' : settings.host;
  try {
    await http.listen({ host, port: settings.port });
  } catch (error) {
    await close();
    throw error;
  }
  const stopReturning = returnMemoryWhenIdle(() => io.engine.clientsCount);
  return {
    url: urlOf(http.server),
    publish: (input) => path.publishValue(access.trusted, input),
    stop: async () => {
      stopReturning();
      const acknowledged = path.drain();
      streams.end(goodbyeMs);
      await inTime(acknowledged, goodbyeMs);
      await sayGoodbye(io, insides.engine.packets, goodbyeMs);
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
  const { io: theirs, http: taken = 'publish', ...own } = options;
  const settings = attachSettingsOf(own);
  attached.add(httpServer);
  const refuse = strangers(settings);
  const connections = new Map<ConnectedSocket, Connection>();
  const sessions = new SessionCounts(new ConnectionCounts(settings));
  const giveBack = (error: unknown): never => {
    attached.delete(httpServer);
    throw error;
  };
  const { logger = defaultLogger() } = own;
  const insides = await tryInsides(logger, theirs).catch(giveBack);
  const io: SocketServer =
    theirs ??
    createSocketServer(
      socketOptions(settings, refuse, () => path.isDraining, connections, sessions, insides),
    );
  const parts = { settings, refuse, io, logger, insides };
  const { path, http, streams, access, close } = await compose(own, parts).catch(giveBack);
  await http.ready();
  const events = { path, access, connections, logger, insides, refuseUnknown: !theirs };
  const stopListening = listenToClients(io, events);
  const answersPreflights = originsOf(settings).length > 0;
  const stopSharing = shareServer(httpServer, {
    isOurs: (request) => isTaken(request, taken, answersPreflights),
    answer: (request, response) => http.routing(request, response),
    addOthers: () => {
      if (!theirs) openSockets(io, httpServer, settings, sessions, insides);
    },
    node: insides.node,
  });
  return {
    publish: (topic, message, { id } = {}) => path.publishValue(access.trusted, { topic, message, id }),
    stop: async () => {
      const acknowledged = path.drain();
      streams.end(goodbyeMs);
      await inTime(acknowledged, goodbyeMs);
      stopListening();
      if (!theirs) {
        await sayGoodbye(io, insides.engine.packets, goodbyeMs);
        io.engine.close();
      }
      stopSharing();
      attached.delete(httpServer);
      await http.close();
      await close();
    },
  };
}

const monotonicMs = (): number => performance.now();

interface Composed {
  readonly path: MessagePath;
  readonly http: FastifyInstance;
  readonly streams: EventStreams;
  readonly access: Access;
  /** To be called last. */
  readonly close: () => Promise<void>;
}

interface Parts {
  readonly settings: Settings;
  readonly refuse: Refuse;
  readonly io: SocketServer;
  readonly logger: Logger;
  readonly insides: Insides;
}

async function compose({ now = Date.now }: ServerOptions, parts: Parts): Promise<Composed> {
  const { settings, refuse, io, logger, insides } = parts;
  const verifier = verifierOf(settings, logger, now);
  const rules = rulesOf(settings);
  const access = new Access({ verifier, rules, now });
  const log = await openLog(settings, { logger, now }).catch((error: unknown) => {
    access.close();
    throw error;
  });
  const index = new SubscriptionIndex();
  const streams = new EventStreams({ ...settings, heartbeatMs, newId: makeId });
  const vitals = new Vitals(now);
  const path = new MessagePath({
    log,
    index,
    rules,
    fanOuts: [new RoomFanOut(io, logger), streams],
    limits: settings,
    rates: rateLimitsOf(settings, monotonicMs),
    onFailure: (error) => asRefusal(error, logger),
    now,
  });
  const http = buildHttpServer({
    ...settings,
    origins: originsOf(settings),
    access,
    path,
    streams,
    vitals,
    node: insides.node,
    isDraining: () => path.isDraining,
    refuse,
    logger,
  });
  const close = async (): Promise<void> => {
    vitals.close();
    access.close();
    await log.close();
  };
  return { path, http, streams, access, close };
}

/** @throws SettingsError when a key cannot be used */
function verifierOf(settings: Settings, logger: Logger, now: () => number): TokenVerifier | undefined {
  const keyAlgorithm = algorithms.find((algorithm) => algorithm === settings.keyAlgorithm);
  const onFailure = (err: Error, from: 'file' | 'url'): void =>
    logger.error({ err }, `the keys of the ${from} cannot be read; those that there were go on counting`);
  try {
    return openVerifier({ ...settings, keyAlgorithm }, { now, monotonicMs, onFailure });
  } catch (error) {
    throw error instanceof KeyError ? new SettingsError([error.message]) : error;
  }
}

function settingsOf({ logger: _logger, now: _now, ...given }: ServerOptions): Settings {
  // A program that names no directory gets none written to.
  const content = { memory: given.data === undefined, ...given };
  return resolveSettings({ flags: {}, env: {}, file: { path: 'the options', content } });
}

function attachSettingsOf(options: AttachOptions): Settings {
  const wrong = listenSettings.filter((name) => Object.hasOwn(options, name));
  if (wrong.length > 0)
    throw new SettingsError([`attach() has no ${wrong.join(', ')}: it is the app that listens.`]);
  return settingsOf(options);
}
