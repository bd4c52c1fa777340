import type { Server as HttpServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { FanfareError, type PublishResult } from '@fanfare/protocol';
import type { FastifyInstance } from 'fastify';
import { pino } from 'pino';
import type { Server as SocketServer, Socket as ConnectedSocket } from 'socket.io';
import { Access } from './access/access.ts';
import { algorithms } from './access/algorithms.ts';
import { KeyError } from './access/jwt-keys.ts';
import { openVerifier } from './access/open-verifier.ts';
import type { TokenVerifier } from './access/token-verifier.ts';
import { isLoopback } from './config/loopback.ts';
import { resolveSettings, SettingsError } from './config/resolve-settings.ts';
import { hasKey, type Settings } from './config/settings.ts';
import { EventStreams } from './http/event-streams.ts';
import { buildHttpServer } from './http/http-server.ts';
import { OpenSockets } from './http/open-sockets.ts';
import { isAboutTopics, isPublish, shareServer } from './http/share-server.ts';
import { ConnectionCounts } from './limits/connection-counts.ts';
import { rateLimitsOf } from './limits/rate-limits.ts';
import type { TopicLog } from './log/topic-log.ts';
import type { Connection } from './message-path/accept.ts';
import { MessagePath } from './message-path/message-path.ts';
import type { Logger } from './observability/logger.ts';
import { asRefusal } from './observability/refusal.ts';
import { openLog, rulesOf } from './open-log.ts';
import { returnMemoryWhenIdle } from './return-memory.ts';
import { listenToClients } from './socketio/events.ts';
import { sayGoodbye } from './socketio/goodbye.ts';
import { RoomFanOut } from './socketio/rooms.ts';
import { SubscriptionIndex } from './subscriptions/subscription-index.ts';
import { createSocketServer } from './socketio/socket-server.ts';
import { openSockets, originsOf, socketOptions, type Refuse } from './open-socketio.ts';

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
   * Which HTTP requests become Fanfare's: `publish`, which is the default, is `POST /publish` alone; `all` is what is
   * under `/topics` as well.
   */
  readonly http?: 'publish' | 'all';
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

const notOpen = 'Fanfare answers only its own machine here, until the app says open: true.';

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
  const refuse = (): undefined => undefined;
  const connections = new Map<ConnectedSocket, Connection>();
  const sessions = new ConnectionCounts(settings);
  const io = createSocketServer(
    socketOptions(settings, refuse, () => path.isDraining, connections, sessions),
  );
  const { path, http, streams, access, logger, log } = await compose(options, settings, refuse, io);
  openSockets(io, http.server, settings, sessions);
  listenToClients(io, { path, access, connections, logger, refuseUnknown: true });
  const sockets = new OpenSockets(http.server, new ConnectionCounts(settings));
  http.addHook('preClose', async () => void io.engine.close());
  // For `localhost` Fastify would open a second server for the other family, which Socket.IO knows nothing of.
  const host = settings.host.toLowerCase() === 'localhost' ? '127.0.0.1' : settings.host;
  try {
    await http.listen({ host, port: settings.port });
  } catch (error) {
    access.close();
    await log.close();
    throw error;
  }
  const stopReturning = returnMemoryWhenIdle(() => io.engine.clientsCount);
  return {
    url: urlOf(http.server),
    publish: (input) => path.publishValue(access.trusted, input),
    stop: async () => {
      stopReturning();
      path.drain();
      streams.end(goodbyeMs);
      await sayGoodbye(io, goodbyeMs);
      await sockets.emptied(lastAnswersMs);
      const lastCall = setTimeout(() => sockets.destroy(), stopGraceMs);
      await http.close().finally(() => clearTimeout(lastCall));
      access.close();
      await log.close();
    },
  };
}

/**
 * Adds Fanfare to an HTTP server that an app (Express, Fastify, plain Node …) already answers: `POST /publish`
 * and Socket.IO become Fanfare's, and with `http: 'all'` what is under `/topics`; every other request stays the
 * app's. Call it once the app's own listener is
 * on the HTTP server. Without `open`, requests that come to an address other than a loopback one are refused, but
 * for those of the app's own Socket.IO server, which lets in whom it likes. An app that closes gracefully calls
 * `stop()` first: connected clients would keep it open.
 *
 * @throws SettingsError that names every setting that is wrong
 */
export async function attach(httpServer: HttpServer, options: AttachOptions = {}): Promise<Fanfare> {
  const { io: theirs, http: taken = 'publish', ...own } = options;
  const settings = attachSettingsOf(own);
  const refuse: Refuse = ({ socket }) => (mayReach(settings, socket) ? undefined : notOpen);
  const connections = new Map<ConnectedSocket, Connection>();
  const sessions = new ConnectionCounts(settings);
  const io =
    theirs ??
    createSocketServer(socketOptions(settings, refuse, () => path.isDraining, connections, sessions));
  const { path, http, streams, access, logger, log } = await compose(own, settings, refuse, io);
  await http.ready();
  const stopListening = listenToClients(io, { path, access, connections, logger, refuseUnknown: !theirs });
  const answersPreflights = originsOf(settings).length > 0;
  const stopSharing = shareServer(httpServer, {
    isOurs: (request) => isPublish(request, answersPreflights) || (taken === 'all' && isAboutTopics(request)),
    answer: (request, response) => http.routing(request, response),
    addOthers: () => {
      if (!theirs) openSockets(io, httpServer, settings, sessions);
    },
  });
  return {
    publish: (topic, message, { id } = {}) => path.publishValue(access.trusted, { topic, message, id }),
    stop: async () => {
      path.drain();
      streams.end(goodbyeMs);
      stopListening();
      if (!theirs) {
        await sayGoodbye(io, goodbyeMs);
        io.engine.close();
      }
      stopSharing();
      await http.close();
      access.close();
      await log.close();
    },
  };
}

const monotonicMs = (): number => performance.now();

interface Composed {
  readonly path: MessagePath;
  readonly http: FastifyInstance;
  readonly streams: EventStreams;
  readonly access: Access;
  readonly logger: Logger;
  readonly log: TopicLog;
}

async function compose(
  options: ServerOptions,
  settings: Settings,
  refuse: Refuse,
  io: SocketServer,
): Promise<Composed> {
  const { logger = pino({ name: 'fanfare' }, pino.destination(2)), now = Date.now } = options;
  const verifier = verifierOf(settings, logger, now);
  const access = new Access({ verifier, rules: rulesOf(settings), now });
  const log = await openLog(settings, { logger, now }).catch((error: unknown) => {
    access.close();
    throw error;
  });
  const index = new SubscriptionIndex();
  const streams = new EventStreams({ ...settings, heartbeatMs });
  const path = new MessagePath({
    log,
    index,
    fanOuts: [new RoomFanOut(io, logger), streams],
    limits: settings,
    rates: rateLimitsOf(settings, monotonicMs),
    onFailure: (error) => asRefusal(error, logger),
  });
  const http = buildHttpServer({
    ...settings,
    origins: originsOf(settings),
    access,
    path,
    streams,
    isDraining: () => path.isDraining,
    refuse,
    logger,
  });
  return { path, http, streams, access, logger, log };
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

/** An app's HTTP server may listen on any address, so what ours decides once is decided for each request there. */
function mayReach(settings: Settings, { localAddress }: Socket): boolean {
  // A socket in the file system has no address.
  return settings.open || hasKey(settings) || localAddress === undefined || isLoopback(localAddress);
}

function urlOf(server: HttpServer): string {
  const { address, family, port } = server.address() as AddressInfo;
  const isHere = ['127.0.0.1', '0.0.0.0', '::'].includes(address);
  const host = isHere ? 'localhost' : family === 'IPv6' ? `[${address}]` : address;
  return `http://${host}:${port}`;
}
