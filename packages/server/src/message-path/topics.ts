import { FanfareError, formatOffset, parseTopic, type Topic } from '@fanfare/protocol';
import {
  LogClosedError,
  type TopicCreation,
  type TopicLog,
  type TopicQuery,
  type TopicState,
} from '../log/topic-log.ts';
import type { SubscriptionIndex } from '../subscriptions/subscription-index.ts';
import { storageRefusal, topicsExhausted } from './append.ts';

/** A topic as it is told to whoever asks. */
export interface TopicInfo {
  readonly topic: Topic;
  /** How many subscriptions to the very topic there are on this server. */
  readonly subscribers: number;
  /** How many messages are kept. */
  readonly messages: number;
  /** Of its newest stored message; absent when it never had one. */
  readonly lastOffset?: string;
}

/** The topics that there are: telling, declaring and deleting them. */
export class Topics {
  readonly #log: TopicLog;
  readonly #index: SubscriptionIndex;

  constructor(log: TopicLog, index: SubscriptionIndex) {
    this.#log = log;
    this.#index = index;
  }

  /** In the order of their names. */
  async list(query: TopicQuery): Promise<readonly TopicInfo[]> {
    const states = await this.#log.topics(query).catch(refuseReading);
    return states.map((state) => this.#infoOf(state));
  }

  /**
   * @param input - the untrusted name
   * @throws FanfareError `topic_name_invalid`, `topic_not_found`
   */
  async get(input: unknown): Promise<TopicInfo> {
    const topic = parseTopic(input);
    const state = await this.#log.topicState(topic).catch(refuseReading);
    if (!state) throw topicNotFound(topic);
    return this.#infoOf(state);
  }

  /**
   * Makes a topic exist, for good.
   *
   * @param input - the untrusted name
   * @throws FanfareError `topic_name_invalid`, `limit_exceeded`, `storage_unavailable`
   */
  async declare(input: unknown): Promise<Exclude<TopicCreation, 'topics_exhausted'>> {
    const topic = parseTopic(input);
    const creation = await this.#log.createTopic(topic, true).catch(refuseStorage);
    if (creation === 'topics_exhausted') throw topicsExhausted();
    return creation;
  }

  /**
   * Deletes a topic with its messages. Who is subscribed stays so, and gets what comes if it is created again.
   *
   * @param input - the untrusted name
   * @throws FanfareError `topic_name_invalid`, `topic_not_found`, `storage_unavailable`
   */
  async delete(input: unknown): Promise<void> {
    const topic = parseTopic(input);
    const existed = await this.#log.deleteTopic(topic).catch(refuseStorage);
    if (!existed) throw topicNotFound(topic);
  }

  #infoOf({ topic, messages, lastSequence: sequence }: TopicState): TopicInfo {
    const { epoch } = this.#log;
    return {
      topic,
      subscribers: this.#index.subscribers(topic),
      messages,
      ...(sequence !== undefined && { lastOffset: formatOffset({ epoch, sequence }) }),
    };
  }
}

function topicNotFound(topic: Topic): FanfareError {
  return new FanfareError('topic_not_found', `Topic '${topic}' does not exist`);
}

function refuseReading(cause: unknown): never {
  throw cause instanceof LogClosedError ? storageRefusal(cause) : cause;
}

function refuseStorage(cause: unknown): never {
  throw storageRefusal(cause);
}
