import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  FanfareError,
  type Figures,
  type From,
  type Interest,
  type Offset,
  type PublishResult,
  type Topic,
} from '@fanfare/protocol';
import type { Rights } from '../access/rights.ts';
import type { RateLimits, Source } from '../limits/rate-limits.ts';
import { LogDamagedError, type NewRecord, type TopicLog } from '../log/topic-log.ts';
import type { Rules } from '../rules/rule.ts';
import type { SubscriptionIndex } from '../subscriptions/subscription-index.ts';
import { Admission, type Admitted } from './admit.ts';
import { append, appendInPieces } from './append.ts';
import { Broadcaster, type FanOut } from './broadcast.ts';
import { Connections } from './connections.ts';
import { Counters } from './counters.ts';
import { permitManaging, permitReading } from './permit.ts';
import { readHistory, readHistoryBefore, type History, type HistoryBefore } from './history.ts';
import { damaged, readingRefusal } from './refusals.ts';
import { Replays } from './replay.ts';
import { Topics } from './topics.ts';

export interface MessagePathParts {
  readonly log: TopicLog;
  readonly index: SubscriptionIndex;
  readonly rules: Rules;
  readonly fanOuts: readonly FanOut[];
  readonly limits: {
    readonly publishBytesMax: number;
    readonly batchMessagesMax: number;
    readonly subscriptionsPerConnectionMax: number;
  };
  readonly rates: RateLimits;
  /** Something failed that a client is to know no more of than that it did. */
  readonly onFailure: (error: unknown) => FanfareError;
  /** The wall clock, in milliseconds since 1970. */
  readonly now: () => number;
}

/** What became of one message of many. */
export type BatchResult = PublishResult | FanfareError;

/** The way of a message, put together: admit, append, and from the log's tail broadcast and deliver. */
export class MessagePath {
  readonly topics: Topics;
  readonly connections: Connections;
  readonly #admission: Admission;
  readonly #parts: MessagePathParts;
  readonly #counters = new Counters();

  constructor(parts: MessagePathParts) {
    const { log, index, rules, fanOuts, limits, rates, onFailure, now } = parts;
    const counters = this.#counters;
    const broadcaster = new Broadcaster({ index, fanOuts, counters, epoch: log.epoch });
    this.#parts = parts;
    this.topics = new Topics(log, index, rules);
    this.connections = new Connections({
      index,
      log,
      counters,
      replays: new Replays(),
      subscriptionsPerConnectionMax: limits.subscriptionsPerConnectionMax,
      rates,
      onFailure: (error) => (error instanceof LogDamagedError ? damaged(error) : onFailure(error)),
      now,
    });
    this.#admission = new Admission({ ...limits, isCovered: (topic) => index.isCovered(topic) });
    log.tail((records) => broadcaster.broadcast(records));
  }

  /**
   * Publishes `{topic, message, id?}`, given as JSON text.
   *
   * @throws FanfareError
   */
  async publishText(
    rights: Rights,
    json: string,
    headerId?: string,
    source: Source = {},
  ): Promise<PublishResult> {
    this.#parts.rates.takePublish(source);
    return only(await append(this.#log, [this.#admission.admitText(rights, json, headerId)]));
  }

  /**
   * Publishes `{topic, message, id?}`, given as a value.
   *
   * @param json - the text that the value was parsed from, when there is one: the message is passed on as its characters then
   * @param creates - whether the topic is made when it does not exist
   * @throws FanfareError
   */
  async publishValue(
    rights: Rights,
    input: unknown,
    source: Source = {},
    json?: string,
    creates = false,
  ): Promise<PublishResult> {
    this.#parts.rates.takePublish(source);
    const record = this.#admission.admitValue(rights, input, json);
    return only(await append(this.#log, [creates ? { ...record, createsTopic: () => true } : record]));
  }

  /**
   * Publishes many, given as the JSON texts of `{topic, message, id?}`; one that is refused does not keep back the
   * others.
   *
   * @returns what became of each, in their order
   * @throws FanfareError when they are too many, or when none could be stored
   */
  publishMany(
    rights: Rights,
    jsons: readonly string[],
    source: Source = {},
  ): Promise<readonly BatchResult[]> {
    return this.#publishAdmitted(source, () => this.#admission.admitMany(rights, jsons));
  }

  /**
   * Publishes many, given as the JSON text of one array; else like {@link publishMany}.
   *
   * @throws FanfareError also when the text is no array
   */
  publishArray(rights: Rights, json: string, source: Source = {}): Promise<readonly BatchResult[]> {
    return this.#publishAdmitted(source, () => this.#admission.admitArray(rights, json));
  }

  async #publishAdmitted(
    source: Source,
    admit: () => Promise<readonly Admitted[]>,
  ): Promise<readonly BatchResult[]> {
    this.#parts.rates.checkPublish(source);
    const admitted = await admit();
    this.#parts.rates.takePublish(source, admitted.length);
    const records = admitted.filter((one): one is NewRecord => !(one instanceof FanfareError));
    const results = await appendInPieces(this.#log, records, this.#counters);
    let taken = 0;
    return admitted.map((one) => (one instanceof FanfareError ? one : (results[taken++] as BatchResult)));
  }

  /**
   * Reads a page of what is kept.
   *
   * @throws FanfareError `not_authorized`, `topic_not_found`, `log_damaged`, `draining`
   */
  async history(rights: Rights, interest: Interest, from: From, limit: number): Promise<History> {
    const filter = permitReading(rights, interest);
    return readHistory(this.#log, interest, from, limit, filter?.allows).catch(refuseReading);
  }

  /**
   * Reads the newest messages of a topic before an offset.
   *
   * @throws FanfareError as {@link history}
   */
  async historyBefore(rights: Rights, topic: Topic, before: Offset, limit: number): Promise<HistoryBefore> {
    permitReading(rights, topic);
    return readHistoryBefore(this.#log, topic, before, limit).catch(refuseReading);
  }

  /** @throws FanfareError `not_authorized`, `draining` */
  async figures(rights: Rights): Promise<Figures> {
    permitManaging(rights);
    const { index, fanOuts } = this.#parts;
    const { topics, ...log } = await this.#log.usage().catch(refuseReading);
    const { publishes, deliveries, live } = this.#counters;
    return {
      connections: this.connections.size,
      subscriptions: index.size,
      topics,
      publishes,
      deliveries,
      bytesWaiting: fanOuts.reduce((bytes, { waitingBytes }) => bytes + waitingBytes, 0),
      catchingUp: index.size - live,
      log,
    };
  }

  /** Counts deliveries that a client which polls has taken. */
  taken(deliveries: number): void {
    this.#counters.deliveries += deliveries;
  }

  get #log(): TopicLog {
    return this.#parts.log;
  }

  get isDraining(): boolean {
    return this.#admission.isDraining;
  }

  /** From now on every publish is refused with `draining`. Resolves once those that the log has are acknowledged. */
  async drain(): Promise<void> {
    this.#admission.drain();
    // Nothing, which is answered behind all that waits.
    await this.#log.append([]);
    await nextTurn();
  }
}

function only([result]: readonly BatchResult[]): PublishResult {
  if (!result) throw new Error('there was nothing to append');
  if (result instanceof FanfareError) throw result;
  return result;
}

function refuseReading(error: unknown): never {
  throw readingRefusal(error);
}
