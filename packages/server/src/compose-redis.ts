import { randomBytes } from 'node:crypto';
import { SettingsError } from './config/resolve-settings.ts';
import { keyPrefixOf, type Settings } from './config/settings.ts';
import { openRedisLog, type RedisLog } from './log/redis/open-redis-log.ts';
import type { LivingNodes } from './log/redis/node-functions.ts';
import type { LogFigures } from './log/log-figures.ts';
import type { RedisTopicLog } from './log/redis/redis-topic-log.ts';
import { parseRedisUrl, type RedisServers } from './log/redis/redis-url.ts';
import { CommonSettings } from './nodes/common-settings.ts';
import { nodeIdOf, type NodeDirectory } from './nodes/node-directory.ts';
import { SharedCluster } from './nodes/shared-cluster.ts';
import type { Invariants } from './observability/invariants.ts';
import type { Logger } from './observability/logger.ts';
import type { Check, Checks } from './observability/readiness.ts';
import type { Rules } from './rules/rule.ts';
import type { SubscriptionIndex } from './subscriptions/subscription-index.ts';

/** The limits of a log. */
export interface LogLimits {
  readonly topicsMax: number;
  readonly idsMax: number;
  readonly idWindowMs: number;
  readonly unusedPerSubjectMax: number;
}

/** What a log on Redis and a log of this server's own have in common. */
export interface LogParts {
  /** The topics and patterns that have subscribers, or are about to get one. */
  readonly index: Pick<SubscriptionIndex, 'isSubscribed' | 'interests'>;
  readonly rules: Rules;
  readonly limits: LogLimits;
  readonly invariants: Invariants;
  /** Called if a background task of the log fails. */
  readonly onFailure: (error: unknown) => void;
  readonly logger: Logger;
}

/** The log that several servers share, and the servers that share it. */
export interface SharedLog {
  readonly log: RedisTopicLog;
  readonly cluster: SharedCluster;
  readonly directory: NodeDirectory;
  readonly checks: Checks;
  readonly figures: () => LogFigures;
  readonly reconfigure: (limits: LogLimits, haveRulesChanged: boolean) => void;
  readonly close: () => Promise<void>;
}

/** The length of the key with which nodes prove to each other that they are nodes, in bytes. */
const keyBytes = 32;

/**
 * Opens the log on Redis, and finds the other nodes.
 *
 * @throws SettingsError, RedisRefusedError; LogUnreachableError if Redis does not answer for 10 s
 */
export async function openShared(
  settings: Settings,
  { index, rules, limits, invariants, onFailure, logger }: LogParts,
): Promise<SharedLog> {
  const { redisPrefix, redisWait, redisStored } = settings;
  const servers = serversOf(settings);
  const runId = randomBytes(15).toString('base64url');
  const nodeId = nodeIdOf(runId);
  let cluster: SharedCluster | undefined;
  const common = new CommonSettings({ ...limits, rules: rules.all }, logger);
  const { log, node } = await openRedisLog({
    ...limits,
    servers,
    prefix: keyPrefixOf(redisPrefix),
    replicas: redisWait,
    stored: redisStored === '' ? undefined : (redisStored as 'memory' | 'disk'),
    rules,
    nodeId: runId,
    isInUse: (interest) => index.isSubscribed(interest),
    usedInterests: () => index.interests(),
    onFailure,
    onText: (text) => cluster?.receive(text),
    invariants,
    logger,
  });
  const { nodes } = node.library;
  // The first node chooses the key. If Redis loses its data, the nodes that have the key give it again.
  let key = randomBytes(keyBytes).toString('base64');
  const beat = async (address: string): Promise<LivingNodes> => {
    const living = await nodes.beat(nodeId, address, key, common.digest);
    key = living.key;
    common.note(living.settings);
    return living;
  };
  const send = (to: string, text: string): Promise<void> => nodes.tell(to, text);
  const transport = {
    beat: async (address: string) => (await beat(address)).addresses,
    send,
    leave: () => nodes.part(nodeId),
  };
  const shared = new SharedCluster({ nodeId, transport, logger });
  cluster = shared;
  const close = async (): Promise<void> => {
    await shared.close();
    await log.close();
  };
  await beat('').catch(async (error: unknown) => {
    await close();
    throw error;
  });
  const directory = {
    nodeId,
    get key() {
      return Buffer.from(key, 'base64');
    },
    usesTls: servers.usesTls,
    announce: (address: string) => shared.announce(address),
    addressOf: (id: string) => shared.addressOf(id),
  };
  const checks = checksOf(node, common);
  const reconfigure = (changed: LogLimits, haveRulesChanged: boolean): void => {
    node.library.limit(changed.topicsMax, changed.unusedPerSubjectMax);
    log.topicsMax = changed.topicsMax;
    if (haveRulesChanged) void log.applyRules();
    common.change({ ...changed, rules: rules.all });
  };
  return { log, cluster, directory, checks, figures: () => node.figures, reconfigure, close };
}

function checksOf(node: RedisLog['node'], common: CommonSettings): Checks {
  return {
    log: () => checkOf(node.trouble, { stored: node.stored }),
    redis: () => checkOf(node.outage),
    nodes: () => ({ ok: true, ...(common.warning !== undefined && { warning: common.warning }) }),
  };
}

function checkOf(reason: string | undefined, details?: Pick<Check, 'stored'>): Check {
  return reason === undefined ? { ok: true, ...details } : { ok: false, reason };
}

function serversOf({ redis }: Settings): RedisServers {
  try {
    return parseRedisUrl(redis);
  } catch (error) {
    throw new SettingsError([(error as Error).message]);
  }
}
