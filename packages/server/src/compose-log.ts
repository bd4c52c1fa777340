import { resolve } from 'node:path';
import { unusedTopicsPerSubjectMaxOf } from './config/limits.ts';
import { fixedLimits } from './limits/fixed-limits.ts';
import { defaultRule, parseRules } from './config/rules.ts';
import type { Settings } from './config/settings.ts';
import { LmdbStore, openLmdbStore, type LmdbStoreOptions } from './log/store/lmdb/lmdb-store.ts';
import { openWhenFree } from './log/store/ownership/wait-for-owner.ts';
import type { MigrationProgress } from './log/store/migration/migrate.ts';
import type { LogFigures } from './log/log-figures.ts';
import { LocalTopicLog } from './log/local/local-topic-log.ts';
import type { ClockEvent } from './log/local/log-clock.ts';
import type { RevocationStore, TopicLog } from './log/topic-log.ts';
import { SingleNode, type Cluster } from './nodes/cluster.ts';
import type { NodeDirectory } from './nodes/node-directory.ts';
import { openShared, type LogLimits, type LogParts } from './compose-redis.ts';
import { newEpoch } from './log/store/restored-copy.ts';
import { MemoryStore } from './log/store/memory-store.ts';
import { describeDuration, describeTime } from './observability/describe-time.ts';
import { Invariants } from './observability/invariants.ts';
import { suppressRepeats } from './observability/repeat-suppression.ts';
import type { Logger } from './observability/logger.ts';
import type { Check, Checks } from './observability/readiness.ts';
import { Rules } from './rules/rule.ts';

export interface OpenLogParts extends Pick<LogParts, 'index' | 'rules' | 'logger'> {
  readonly now: () => number;
  /** Called if another server has taken the directory. Then this server must stop. */
  readonly onLost: (error: Error) => void;
  /** Ends a wait for the directory. */
  readonly stopSignal?: AbortSignal | undefined;
}

const { value: idsMax } = fixedLimits.idsMax;

/** A log, and the servers that share it. */
export interface OpenedLog {
  readonly log: TopicLog & RevocationStore;
  readonly cluster: Cluster;
  /** Only if several servers can share the log. */
  readonly directory?: NodeDirectory;
  /** The checks of `/readyz` about the log. */
  readonly checks: Checks;
  readonly figures: () => LogFigures;
  readonly invariants: Invariants;
  /** Applies the limits of the settings, and the rules, as they are now. */
  readonly reconfigure: (haveRulesChanged: boolean) => void;
  readonly close: () => Promise<void>;
}

/**
 * Opens the log of the settings: on Redis, in memory or in a directory.
 *
 * @throws SettingsError, DataDirectoryError, LogDamagedError, RedisRefusedError, LogUnreachableError
 */
export async function openLog(settings: Settings, parts: OpenLogParts): Promise<OpenedLog> {
  const { index, rules, logger } = parts;
  const failures = suppressRepeats(logger, () => performance.now());
  const common: LogParts = {
    index,
    rules,
    limits: limitsOf(settings),
    invariants: new Invariants(logger),
    onFailure: (err) => failures.error({ err }, 'A background task of the log failed.'),
    logger,
  };
  const { invariants } = common;
  if (settings.redis !== '') {
    const shared = await openShared(settings, common);
    const reconfigureAll = (changed: boolean): void => shared.reconfigure(limitsOf(settings), changed);
    return { ...shared, invariants, reconfigure: reconfigureAll };
  }
  let hasTrouble = false;
  const store = settings.memory
    ? new MemoryStore()
    : await openStore(settings, parts, (isThere) => (hasTrouble = isThere));
  const log = await openLocal(store, settings, { ...common, now: parts.now });
  const check = (): Check =>
    log.isWritable && !hasTrouble
      ? { ok: true, stored: store.level }
      : { ok: false, reason: 'Messages cannot be stored.' };
  const figures = (): LogFigures => ({ ...log.figures, ...(store instanceof LmdbStore && { disk: store }) });
  const reconfigure = (changed: boolean): void => log.reconfigure(limitsOf(settings), changed);
  const close = (): Promise<void> => log.close();
  return { log, cluster: new SingleNode(), checks: { log: check }, figures, invariants, reconfigure, close };
}

function limitsOf(settings: Settings): LogLimits {
  const { topicsMax, idWindowMs } = settings;
  return { topicsMax, idsMax, idWindowMs, unusedPerSubjectMax: unusedTopicsPerSubjectMaxOf(settings) };
}

async function openLocal(
  store: LmdbStore | MemoryStore,
  { memory, memoryBytesMax }: Settings,
  { index, rules, limits, invariants, onFailure, logger, now }: LogParts & Pick<OpenLogParts, 'now'>,
): Promise<LocalTopicLog> {
  try {
    return new LocalTopicLog({
      store,
      rules,
      ...limits,
      isInUse: (topic) => index.isSubscribed(topic),
      memoryBytesMax: memory ? memoryBytesMax : Infinity,
      newEpoch: newEpoch(),
      now,
      invariants,
      onClockEvent: (event) => logClockEvent(event, logger),
      onFailure,
      onWritable: (err) => logWritability(err, logger),
    });
  } catch (error) {
    await store.close();
    throw error;
  }
}

/** @param noteTrouble - called when the directory has a problem, and when the problem is over */
function openStore(
  { data, allowNetworkStorage, waitForData: waitMs }: Settings,
  { logger, onLost, stopSignal: signal }: OpenLogParts,
  noteTrouble: (isThere: boolean) => void,
): Promise<LmdbStore> {
  const onWait = (sentence: string): void => logger.warn({}, sentence);
  const options: LmdbStoreOptions = {
    allowNetworkStorage,
    onMigration: (progress) => logMigration(progress, logger),
    onWait,
    onNewEpoch: (epoch) =>
      logger.warn(
        { epoch },
        'The data directory is a restored backup, and its log has a new epoch. Subscribers that resume with an earlier ' +
          'offset are told that messages may be missing.',
      ),
    onTrouble: (err) => {
      noteTrouble(true);
      logger.error({ err }, 'The data directory has a problem: messages cannot be stored.');
    },
    onRecovered: () => {
      noteTrouble(false);
      logger.warn({}, 'The problem of the data directory is over: messages can be stored again.');
    },
    onLost: (err) => {
      logger.error({ err }, 'Another server has taken the data directory: this server stops.');
      onLost(err);
    },
  };
  return openWhenFree(() => openLmdbStore(resolve(data), options), { waitMs, signal, onWait });
}

/** Logs the beginning too, because copying much data takes a while. */
function logMigration({ step, from, to, copy }: MigrationProgress, logger: Logger): void {
  const fields = { from, to, copy };
  if (step === 'begun')
    logger.warn(
      fields,
      `The data directory is being migrated from format ${from} to ${to}. A copy is made first.`,
    );
  if (step === 'migrated')
    logger.warn(
      fields,
      `The data directory was migrated from format ${from} to ${to}. The data before the migration is in '${copy}'.`,
    );
}

function logWritability(err: unknown, logger: Logger): void {
  if (err === undefined) logger.warn({}, 'Messages can be stored again.');
  else logger.error({ err }, 'Messages cannot be stored: publishes are refused.');
}

function logClockEvent(event: ClockEvent, logger: Logger): void {
  switch (event.kind) {
    case 'jumped': {
      const [by, trial] = [event.byMs, fixedLimits.clockTrialMs.value].map(describeDuration);
      logger.warn(
        event,
        `The clock is ${by} ahead of the expected time, and may be wrong. Until it has run for ${trial} without another jump, ` +
          'messages do not expire by this clock.',
      );
      break;
    }
    case 'trusted':
      logger.warn(event, 'The clock is trusted again: messages expire by it.');
      break;
    case 'set_back': {
      const [before, after] = [event.before, event.after].map(describeTime);
      logger.warn(
        event,
        `The clock shows ${after}, but the newest message has the timestamp ${before}. New messages get timestamps by the clock. ` +
          "If the clock is right now, 'fanfare store repair-times' corrects the timestamps from the future.",
      );
    }
  }
}

export function rulesOf({ rules }: Settings): Rules {
  const parsed = parseRules(rules);
  return new Rules('rules' in parsed ? parsed.rules : [], defaultRule);
}
