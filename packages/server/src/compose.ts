import { randomBytes } from 'node:crypto';
import type { RequestListener } from 'node:http';
import type { FastifyInstance } from 'fastify';
import type { Server as SocketServer } from 'socket.io';
import type { ClientEnd } from './client-end.ts';
import { originsOf } from './config/origins.ts';
import type { Settings } from './config/settings.ts';
import type { ClientAddresses } from './access/client-address.ts';
import { clientAddressesOf } from './config/trust-proxy.ts';
import type { Certificate } from './http/certificate.ts';
import { EventStreams } from './http/event-streams.ts';
import { buildHttpServer } from './http/http-server.ts';
import { publishHandler, type PublishHandler } from './http/publish-handler.ts';
import { tryNode, type NodeInside } from './insides/node-inside.ts';
import { ratesOf, RateLimits } from './limits/rate-limits.ts';
import { MessagePath } from './message-path/message-path.ts';
import { ClientRefusalLog } from './observability/client-refusal-log.ts';
import { watchFileDescriptors } from './observability/file-descriptors.ts';
import { defaultLogger } from './observability/logger.ts';
import type { LogLevel } from './observability/log-levels.ts';
import { ProcessHealth } from './observability/process-health.ts';
import { asRefusal, requestLoggerOf, type RequestLogger } from './observability/unexpected-failure.ts';
import {
  composeAccess,
  composeReachability,
  composeTokenVerifier,
  type Reachability,
} from './compose-access.ts';
import type { Refuse } from './access/reachability.ts';
import { composeCertificate } from './compose-certificate.ts';
import { openAppIo } from './compose-app-io.ts';
import { openClientEnd } from './compose-clients.ts';
import { rulesOf } from './compose-log.ts';
import { composeNodes, type Nodes } from './compose-nodes.ts';
import { composeOperators, type ForOperators } from './compose-operators.ts';
import { composeReloader } from './compose-reload.ts';
import type { NodeDirectory } from './nodes/node-directory.ts';
import { openLogWithWebhooks } from './compose-webhooks.ts';
import { ProgramStreams } from './program/program-streams.ts';
import type { ProgramParts } from './program/program.ts';
import type { Reloader } from './reload.ts';
import { ServerLog } from './server-log.ts';
import type { ServerOptions } from './server-options.ts';
import { SubscriptionIndex } from './subscriptions/subscription-index.ts';

/** As long as the ids of Socket.IO, and as hard to guess. */
const makeId = (): string => randomBytes(15).toString('base64url');

/** Proxies commonly close a response that was silent for a minute, some after half a minute. */
const heartbeatMs = 15_000;

const slow = 'A subscriber does not keep up: it gets further messages from the log, later.';

const monotonicMs = (): number => performance.now();

/** The parts of Fanfare that do not depend on who listens: Fanfare itself, or the app. */
export interface Composed extends ProgramParts, ForOperators {
  readonly addresses: ClientAddresses;
  readonly logger: RequestLogger;
  readonly node: NodeInside;
  readonly http: FastifyInstance;
  readonly certificate: Certificate | undefined;
  /** Answers the usual publishes. */
  readonly handlePublish: PublishHandler;
  readonly serverLog: ServerLog;
  readonly streams: EventStreams;
  readonly clientEnd: ClientEnd;
  /** Only if this server is one of several nodes. */
  readonly nodes: Nodes | undefined;
  /** Only if there is something to read the settings from. */
  readonly reloader: Reloader | undefined;
  /** Closes the log and everything that runs in the background. Must be called last. */
  readonly close: () => Promise<void>;
}

export interface ComposeParts {
  readonly settings: Settings;
  /** Whether an app's HTTP server listens, on whatever address. */
  readonly isAttached: boolean;
  /** The app's Socket.IO server. */
  readonly theirs?: SocketServer | undefined;
  /** The nodes of which this server is one. */
  readonly directory?: NodeDirectory | undefined;
  /** Called if another server has taken the data directory. */
  readonly onLost: (error: Error) => void;
  /** Ends a start that waits for the data directory. */
  readonly stopSignal?: AbortSignal | undefined;
}

interface GateParts {
  readonly refusalLog: ClientRefusalLog;
  /** Whether the app's own login identifies clients. */
  readonly identifies: boolean;
  readonly isAttached: boolean;
}

/** What decides which requests can reach the server. */
interface Gate {
  readonly addresses: ClientAddresses;
  /** Changed in place by a reload. */
  readonly origins: string[];
  readonly reachability: Reachability;
  readonly refuse: Refuse;
}

/** Builds all parts of Fanfare. Nothing listens yet. */
export async function compose(
  { now = Date.now, identify, logger: given, readSettings }: ServerOptions,
  { settings, isAttached, theirs, directory: known, onLost, stopSignal }: ComposeParts,
): Promise<Composed> {
  const logger = given ?? defaultLogger(settings.logLevel as LogLevel);
  // For failures that requests can cause any number of times.
  const refusalLog = new ClientRefusalLog(logger);
  const requestLogger = requestLoggerOf(logger, refusalLog, monotonicMs);
  const node = await tryNode(logger);

  const gate = composeGate(settings, { refusalLog, identifies: identify !== undefined, isAttached });
  const { addresses, origins, reachability, refuse } = gate;
  const isDraining = (): boolean => path.isDraining;
  // The log, and the rights of clients. A wrong key or certificate is found before the log is opened.
  const certificate = composeCertificate(settings, logger);
  const verifierParts = { logger, now, monotonicMs };
  const verifier = composeTokenVerifier(settings, verifierParts);
  const rules = rulesOf(settings);
  const index = new SubscriptionIndex();
  const openParts = { index, rules, logger, now, onLost, stopSignal };
  const opened = await openLogWithWebhooks(settings, openParts).catch((error: unknown) => {
    verifier?.close();
    throw error;
  });
  const { log, cluster, directory = known } = opened;
  const accessParts = { verifier, identify, rules: rulesOf(settings), store: log, cluster, now };
  const { access, revocations } = composeAccess(settings, accessParts);

  // The sessions of an app's own Socket.IO server are the app's business.
  const nodes =
    directory && !theirs
      ? composeNodes({ directory, settings, isAttached, logger: requestLogger })
      : undefined;
  const ours = { access, addresses, node, logger };
  const endParts = { ...ours, settings, origins, refuse, refusalLog, nodes, requestLogger, path: () => path };
  const clientEnd = theirs ? openAppIo(theirs, endParts) : openClientEnd(endParts);

  // The message path, with three ways out: Socket.IO, event streams, and the program itself.
  const streams = new EventStreams({ limits: settings, heartbeatMs, newId: makeId });
  const programs = new ProgramStreams({ limits: settings, newId: makeId });
  const health = new ProcessHealth(now);
  const rates = new RateLimits({ ...ratesOf(settings), monotonicMs });
  const world = { log, index, rules, rates, cluster, health, now };
  const path: MessagePath = new MessagePath({
    ...world,
    fanOuts: [clientEnd.fanOut, streams, programs],
    limits: settings,
    watcher: opened.webhooks,
    onFailure: (error) => asRefusal(error, requestLogger),
    onSlow: ({ peer: { id, address } }, topic) => refusalLog.log({ id, topic }, slow, address),
  });

  // HTTP.
  const shared = { access, revocations, addresses, path, streams, logger: requestLogger };
  const operators = composeOperators({ settings, opened, clientEnd, health, ...shared });
  const limited = { settings, rates, clientEnd, nodes, http: () => http };
  const inForce = { ...verifierParts, ...limited, rules, origins, access, opened, path, reachability };
  const reloader = readSettings && composeReloader(readSettings, inForce);
  const reload = reloader && ((): ReturnType<Reloader['reload']> => reloader.reload());
  const common = { ...shared, limits: settings, origins, node, isDraining, refuse, certificate };
  const options = { ...common, ...operators, reload };
  const http: FastifyInstance = buildHttpServer(options);
  const otherwise: RequestListener = (request, response) => http.routing(request, response);
  const handlePublish = publishHandler({ ...options, otherwise });

  const stopWatching = watchFileDescriptors(logger);
  const close = async (): Promise<void> => {
    stopWatching();
    refusalLog.close();
    health.close();
    access.close();
    certificate?.close();
    await opened.close();
    await operators.admin.close();
  };
  const ends = { http, handlePublish, clientEnd, nodes, certificate, reloader };
  return { ...shared, node, programs, serverLog: new ServerLog(logger), ...ends, ...operators, close };
}

function composeGate(settings: Settings, { refusalLog, identifies, isAttached }: GateParts): Gate {
  const addresses = clientAddressesOf(settings);
  const origins = [...originsOf(settings)];
  const checksLocalAddress = isAttached || settings.listen !== '';
  const reachability = composeReachability(settings, { identifies, checksLocalAddress });
  const refuse = refusalLog.logged(reachability.refuse, addresses);
  return { addresses, origins, reachability, refuse };
}
