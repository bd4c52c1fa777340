import { randomBytes } from 'node:crypto';
import type { Topic } from '@fanfare/protocol';
import type { FastifyInstance } from 'fastify';
import type { Server as SocketServer } from 'socket.io';
import { Access } from './access/access.ts';
import { LiveIdentities } from './access/live-identities.ts';
import { Revocations } from './access/revocations.ts';
import type { ClientAddresses } from './access/client-address.ts';
import { algorithmOf } from './access/algorithms.ts';
import { identifier } from './access/identify.ts';
import { KeyError } from './access/jwt-keys.ts';
import { openVerifier } from './access/open-verifier.ts';
import type { TokenVerifier } from './access/token-verifier.ts';
import { originsOf } from './config/origins.ts';
import { SettingsError } from './config/resolve-settings.ts';
import type { Settings } from './config/settings.ts';
import { EventStreams } from './http/event-streams.ts';
import { buildHttpServer } from './http/http-server.ts';
import { rateLimitsOf } from './limits/rate-limits.ts';
import { MessagePath } from './message-path/message-path.ts';
import { watchFileDescriptors } from './observability/file-descriptors.ts';
import { suppressRepeats } from './observability/repeat-suppression.ts';
import type { Logger } from './observability/logger.ts';
import { asRefusal } from './observability/refusal.ts';
import { ProcessHealth } from './observability/process-health.ts';
import { openLog, rulesOf } from './open-log.ts';
import { ProgramStreams } from './program/program-streams.ts';
import type { Refuse } from './open-socketio.ts';
import type { ServerOptions } from './server-options.ts';
import { PollingResponses } from './socketio/polling-responses.ts';
import { RoomFanOut } from './socketio/rooms.ts';
import { SubscriptionIndex } from './subscriptions/subscription-index.ts';
import type { Insides } from './try-insides.ts';

/** As long as Socket.IO's, and as hard to guess. */
const makeId = (): string => randomBytes(15).toString('base64url');

/** Proxies commonly cut off a response that was silent for a minute, some for half of one. */
const heartbeatMs = 15_000;

const monotonicMs = (): number => performance.now();

/** What both ways to run Fanfare have in common. */
export interface Composed {
  readonly path: MessagePath;
  readonly http: FastifyInstance;
  readonly streams: EventStreams;
  readonly polling: PollingResponses;
  readonly access: Access;
  readonly revocations: Revocations;
  /** For what requests can make the server log again and again. */
  readonly logger: Logger;
  readonly health: ProcessHealth;
  readonly programs: ProgramStreams;
  /** To be called last. */
  readonly close: () => Promise<void>;
}

export interface ComposeParts {
  readonly settings: Settings;
  readonly addresses: ClientAddresses;
  readonly refuse: Refuse;
  readonly io: SocketServer;
  readonly logger: Logger;
  readonly insides: Insides;
  /** Another server has taken the data directory. */
  readonly onLost: (error: Error) => void;
}

/** Builds every part of the server but those that listen. */
export async function compose(
  { now = Date.now, identify }: ServerOptions,
  parts: ComposeParts,
): Promise<Composed> {
  const { settings, addresses, refuse, io, insides, onLost } = parts;
  const logger = suppressRepeats(parts.logger, monotonicMs);
  const verifier = verifierOf(settings, parts.logger, now);
  const rules = rulesOf(settings);
  const index = new SubscriptionIndex();
  const isInUse = (topic: Topic): boolean => index.isSubscribed(topic);
  const log = await openLog(settings, { isInUse, logger: parts.logger, now, onLost }).catch(
    (error: unknown) => {
      verifier?.close();
      throw error;
    },
  );
  // A program that is asked says itself who comes back: what it may say meanwhile is all that a revocation concerns.
  const tokenLifetimeMsMax = identify ? settings.loginTimeoutMs : settings.tokenLifetimeMsMax || undefined;
  const liveIdentities = new LiveIdentities(now);
  const revocations = new Revocations({ store: log, liveIdentities, tokenLifetimeMsMax, now });
  const access = new Access({
    verifier,
    identify: identify && identifier(identify, { now, timeoutMs: settings.loginTimeoutMs }),
    rules,
    revocations,
    liveIdentities,
    now,
  });
  const streams = new EventStreams({ ...settings, heartbeatMs, newId: makeId });
  const programs = new ProgramStreams({ ...settings, newId: makeId });
  const health = new ProcessHealth(now);
  const polling: PollingResponses = new PollingResponses(insides.engine, (deliveries) =>
    path.taken(deliveries),
  );
  const path: MessagePath = new MessagePath({
    log,
    index,
    rules,
    fanOuts: [new RoomFanOut(io, polling, logger), streams, programs],
    limits: settings,
    rates: rateLimitsOf(settings, monotonicMs),
    onFailure: (error) => asRefusal(error, logger),
    now,
  });
  const http = buildHttpServer({
    ...settings,
    origins: originsOf(settings),
    access,
    revocations,
    addresses,
    path,
    streams,
    health,
    node: insides.node,
    isDraining: () => path.isDraining,
    refuse,
    logger,
  });
  const unwatch = watchFileDescriptors(parts.logger);
  const close = async (): Promise<void> => {
    unwatch();
    health.close();
    access.close();
    await log.close();
  };
  return { path, http, streams, polling, access, revocations, health, programs, logger, close };
}

/** @throws SettingsError when a key cannot be used */
function verifierOf(settings: Settings, logger: Logger, now: () => number): TokenVerifier | undefined {
  const keyAlgorithm = algorithmOf(settings.keyAlgorithm);
  const onFailure = (err: Error, from: 'file' | 'url'): void =>
    logger.error({ err }, `Cannot read the keys of the ${from}: still using the last ones.`);
  const onWarning = (sentence: string): void => logger.warn({}, sentence);
  try {
    return openVerifier({ ...settings, keyAlgorithm }, { now, monotonicMs, onFailure, onWarning });
  } catch (error) {
    throw error instanceof KeyError ? new SettingsError([error.message]) : error;
  }
}
