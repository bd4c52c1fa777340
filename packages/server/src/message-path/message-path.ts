import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  type FanfareError,
  type From,
  type Interest,
  type NodeStats,
  type Offset,
  type PublishResult,
  type Topic,
} from '@fanfare/protocol';
import type { Rights } from '../access/rights.ts';
import type { RateLimits, Source } from '../limits/rate-limits.ts';
import { Pacer } from '../limits/pacer.ts';
import { LogDamagedError, type NewRecord, type TopicLog } from '../log/topic-log.ts';
import type { Cluster } from '../nodes/cluster.ts';
import type { ProcessHealth } from '../observability/process-health.ts';
import type { Rules } from '../rules/rule.ts';
import type { SubscriptionIndex } from '../subscriptions/subscription-index.ts';
import { AllNodes } from './all-nodes.ts';
import { version } from '../version.ts';
import { Admission, type PublishInput } from './admit.ts';
import { appendOne, type PublishListener } from './append.ts';
import { Broadcaster } from './broadcast.ts';
import type { FanOut } from './fan-out.ts';
import type { ConnectionParts } from './connection.ts';
import { Connections, type ConnectionFigures } from './connections.ts';
import { Counters } from './counters.ts';
import { permitReading } from './permit.ts';
import { readHistory, readHistoryBefore, type History, type HistoryBefore } from './history.ts';
import { admitMany, appendMany, type BatchInput, type BatchParts, type BatchResult } from './publish-many.ts';
import { damaged, refuseLogFailure } from './refusals.ts';
import { Replays } from './replay.ts';
import type { TopicWatcher } from './topic-watcher.ts';
import { Topics } from './topics.ts';

export interface MessagePathParts {
  readonly log: TopicLog;
  readonly index: SubscriptionIndex;
  readonly rules: Rules;
  readonly fanOuts: readonly FanOut[];
  /** The limits now: a reload can change them. */
  readonly limits: {
    readonly publishBytesMax: number;
    readonly batchMessagesMax: number;
    readonly subscriptionsPerConnectionMax: number;
  };
  readonly rates: RateLimits;
  readonly cluster: Cluster;
  readonly watcher?: TopicWatcher | undefined;
  readonly health: Pick<ProcessHealth, 'time' | 'startedAt' | 'loopDelayMs'>;
  /** Logs an unexpected failure, and returns the error for the client. */
  readonly onFailure: (error: unknown) => FanfareError;
  /** Called if the peer of a connection has no space for a live message. */
  readonly onSlow: ConnectionParts['onSlow'];
  /** The wall clock, in milliseconds since 1970. */
  readonly now: () => number;
}

/** The figures of this node for metrics. */
export interface PathFigures
  extends
    Pick<Counters, 'publishes' | 'duplicates' | 'deliveries' | 'gaps' | 'byRule' | 'live'>,
    ConnectionFigures {
  readonly catchingUp: number;
  readonly waitingBytes: number;
}

/** The message path: admits a publish, appends it to the log, and broadcasts it from the tail of the log. */
export class MessagePath {
  readonly topics: Topics;
  readonly connections: Connections;
  /** What operators ask of all nodes. */
  readonly nodes: AllNodes;
  readonly #admission: Admission;
  readonly #batch: BatchParts;
  readonly #parts: MessagePathParts;
  readonly #counters: Counters;

  constructor(parts: MessagePathParts) {
    const { log, index, rules, fanOuts, limits, rates, cluster, watcher, onFailure, onSlow, now } = parts;
    const counters = new Counters(rules);
    this.#counters = counters;
    const broadcaster = new Broadcaster({ index, fanOuts, counters });
    this.#parts = parts;
    this.nodes = new AllNodes(cluster, log, watcher);
    this.topics = new Topics({ log, nodes: this.nodes, rules, watcher });
    this.connections = new Connections({
      index,
      rules,
      log,
      counters,
      replays: new Replays(),
      watcher,
      limits,
      rates,
      onFailure: (error) => (error instanceof LogDamagedError ? damaged(error) : onFailure(error)),
      onSlow,
      now,
    });
    const admission = new Admission({ limits, isCovered: (topic) => index.isCovered(topic) });
    const fanOutsReady = async (): Promise<void> => {
      await Promise.all(fanOuts.map((fanOut) => fanOut.ready()));
    };
    this.#admission = admission;
    this.#batch = { log, counters, admission, index, limits, fanOutsReady };
    log.tail({
      onRecords: (records) => {
        broadcaster.broadcast(records);
        watcher?.onRecords(records);
      },
      onMissed: () => this.connections.miss(),
      onBehind: (place) => this.connections.fallBehind(place),
    });
    this.#answerNodes();
  }

  /**
   * Publishes one message.
   *
   * @throws FanfareError
   */
  publish(rights: Rights, input: PublishInput, source: Source = {}): Promise<PublishResult> {
    return new Promise((onResult, onFailure) =>
      this.publishTo({ onResult, onFailure }, rights, input, source),
    );
  }

  /** Publishes one message, without a promise. The listener is called once, perhaps before this returns. */
  publishTo(listener: PublishListener, rights: Rights, input: PublishInput, source: Source): void {
    let record: NewRecord;
    try {
      this.#parts.rates.takePublish(source);
      record = this.#admission.admit(rights, input);
    } catch (error) {
      return listener.onFailure(error);
    }
    appendOne(this.#log, this.#counters, record, listener);
  }

  /**
   * Publishes many messages. Each succeeds or fails on its own.
   *
   * @returns the result of each message, in their order
   * @throws FanfareError if there are too many messages, if the text is not JSON, or if none can be stored
   */
  async publishMany(rights: Rights, input: BatchInput, source: Source = {}): Promise<readonly BatchResult[]> {
    const { rates } = this.#parts;
    rates.checkPublish(source);
    const admitted = await admitMany(rights, input, this.#batch);
    rates.takePublish(source, admitted.length);
    return appendMany(admitted, this.#batch);
  }

  /**
   * Reads a page of the stored messages.
   *
   * @throws FanfareError `not_authorized`, `topic_not_found`, `log_damaged`, `draining`
   */
  async history(rights: Rights, interest: Interest, from: From, limit: number): Promise<History> {
    const filter = permitReading(rights, interest);
    return readHistory(this.#log, interest, from, limit, filter?.allows).catch(refuseLogFailure);
  }

  /**
   * Reads the newest messages of a topic before an offset.
   *
   * @throws FanfareError as {@link history}
   */
  async historyBefore(rights: Rights, topic: Topic, before: Offset, limit: number): Promise<HistoryBefore> {
    permitReading(rights, topic);
    return readHistoryBefore(this.#log, topic, before, limit).catch(refuseLogFailure);
  }

  /** Counts deliveries that a poll has taken. */
  taken(deliveries: number): void {
    this.#counters.deliveries += deliveries;
  }

  /** The figures of this node for metrics. */
  async figures(): Promise<PathFigures> {
    const { index, fanOuts } = this.#parts;
    const connections = await this.connections.figures();
    const { publishes, duplicates, deliveries, gaps, byRule, live } = this.#counters;
    return {
      ...connections,
      publishes,
      duplicates,
      deliveries,
      gaps,
      byRule,
      live,
      catchingUp: index.size - live,
      waitingBytes: waitingBytesOf(fanOuts),
    };
  }

  /** Answers what nodes ask each other, for this node. */
  #answerNodes(): void {
    const { cluster, index } = this.#parts;
    const { connections } = this;
    cluster.serve({
      stats: () => this.#stats(),
      subscribers: async (topics) => {
        const counts: number[] = [];
        const pacer = new Pacer();
        for (const topic of topics) {
          // With many patterns, one topic takes long.
          if (pacer.isDue) await pacer.yield();
          counts.push(index.subscribers(topic));
        }
        return counts;
      },
      connections: ({ limit, after }) => connections.list(limit, after),
      connection: (id) => connections.details(id),
      endConnection: (id) => connections.end(id),
      subscribersOf: ({ topic, limit, after }) => connections.subscribersOf(topic, limit, after),
    });
  }

  #stats(): NodeStats {
    const { cluster, index, fanOuts, health } = this.#parts;
    const { publishes, deliveries, live } = this.#counters;
    return {
      id: cluster.nodeId,
      time: health.time,
      startedAt: health.startedAt,
      version,
      loopDelayMs: health.loopDelayMs,
      connections: this.connections.size,
      subscriptions: index.size,
      publishes,
      deliveries,
      bytesWaiting: waitingBytesOf(fanOuts),
      catchingUp: index.size - live,
    };
  }

  get #log(): TopicLog {
    return this.#parts.log;
  }

  get isDraining(): boolean {
    return this.#admission.isDraining;
  }

  /**
   * From now on, publishes are refused with `draining`. Resolves after the log has acknowledged the earlier
   * publishes, and its tail has delivered those that are stored.
   */
  async drain(): Promise<void> {
    this.#admission.drain();
    // An empty append resolves after all waiting operations.
    await this.#log.append([]);
    // A log that several servers share can acknowledge a message before its tail has it. A start with new
    // messages waits for the tail.
    try {
      await this.#log.locate('**' as Interest, { kind: 'new' });
    } catch {
      // The clients get it from another server.
    }
    await nextTurn();
  }
}

function waitingBytesOf(fanOuts: readonly FanOut[]): number {
  return fanOuts.reduce((bytes, { waitingBytes }) => bytes + waitingBytes, 0);
}
