import { FanfareError, formatOffset, parseTopic, type TopicDetails, type TopicInfo } from '@fanfare/protocol';
import type { TopicLog, TopicQuery, TopicState } from '../log/topic-log.ts';
import type { Rights } from '../access/rights.ts';
import { Pacer } from '../limits/pacer.ts';
import { describeRule } from '../rules/describe-rule.ts';
import type { Rules } from '../rules/rule.ts';
import type { AllNodes } from './all-nodes.ts';
import { permitDeleting, permitPublishing, permitReading } from './permit.ts';
import type { TopicWatcher } from './topic-watcher.ts';
import { refuseChange, refuseLogFailure, topicNotFound, topicsExhausted } from './refusals.ts';

/** The result of declaring a topic. */
export interface Declared {
  readonly isNew: boolean;
  readonly info: Pick<TopicDetails, 'topic'> & Partial<TopicDetails>;
}

/**
 * The page size for clients that may not read all topics. The log does not know their rights, so pages are
 * filtered later.
 */
const topicsPerPage = 256;

interface TopicsParts {
  readonly log: TopicLog;
  readonly nodes: AllNodes;
  readonly rules: Rules;
  readonly watcher: TopicWatcher | undefined;
}

/** The topics: lists, declares and deletes them. */
export class Topics {
  readonly #log: TopicLog;
  readonly #nodes: AllNodes;
  readonly #rules: Rules;
  readonly #watcher: TopicWatcher | undefined;

  constructor({ log, nodes, rules, watcher }: TopicsParts) {
    this.#log = log;
    this.#nodes = nodes;
    this.#rules = rules;
    this.#watcher = watcher;
  }

  /** Lists the topics that the client may read, in the order of their names. */
  async list(rights: Rights, { limit, ...query }: TopicQuery): Promise<readonly TopicInfo[]> {
    const found: TopicState[] = [];
    const pageMax = rights.identity.isAdmin ? limit : topicsPerPage;
    const pacer = new Pacer();
    for (let after = query.after; ;) {
      const page = { ...query, limit: pageMax, ...(after !== undefined && { after }) };
      const states = await this.#log.topics(page).catch(refuseLogFailure);
      for (const state of states) {
        // Each pattern of a token is tried for each topic.
        if (pacer.isDue) await pacer.yield();
        if (rights.may('subscribe', state.topic)) found.push(state);
      }
      after = states.at(-1)?.topic;
      if (found.length >= limit || states.length < pageMax) return this.#infosOf(found.slice(0, limit));
    }
  }

  /**
   * @param input - the untrusted name
   * @throws FanfareError `topic_name_invalid`, `not_authorized`, `topic_not_found`
   */
  async get(rights: Rights, input: unknown): Promise<TopicDetails> {
    const state = await this.state(rights, input);
    const [info] = await this.#infosOf([state]);
    if (!info) throw new Error('a topic has no state');
    return { ...info, rule: describeRule(this.#rules.of(state.topic)) };
  }

  /** Like {@link get}, without what only all nodes together know. */
  async state(rights: Rights, input: unknown): Promise<TopicState> {
    const topic = parseTopic(input);
    permitReading(rights, topic);
    const state = await this.#log.topicState(topic).catch(refuseLogFailure);
    if (!state) throw topicNotFound(topic);
    return state;
  }

  /**
   * Declares a topic: it exists until it is deleted.
   *
   * @param input - the untrusted name
   * @returns whether the topic is new; and its state, if the client may read it
   * @throws FanfareError `topic_name_invalid`, `not_authorized`, `limit_exceeded`; `storage_unavailable` if
   *   it did not happen; `outcome_unknown`
   */
  async declare(rights: Rights, input: unknown): Promise<Declared> {
    const topic = parseTopic(input);
    permitPublishing(rights, topic);
    const creation = await this.#log.declareTopic(topic).catch(refuseChange);
    if (creation === 'topics_exhausted') throw topicsExhausted(this.#log);
    const info = rights.may('subscribe', topic)
      ? await this.get(rights, topic).catch(refuseDeclared)
      : { topic };
    return { isNew: creation === 'created', info };
  }

  /**
   * Deletes a topic and its messages. Subscribers stay subscribed, and get messages if the topic is created
   * again.
   *
   * @param input - the untrusted name
   * @throws FanfareError `topic_name_invalid`, `not_authorized`, `topic_not_found`; `storage_unavailable` if
   *   it did not happen; `outcome_unknown`
   */
  async delete(rights: Rights, input: unknown): Promise<void> {
    const topic = parseTopic(input);
    permitDeleting(rights, topic);
    const existed = await this.#log.deleteTopic(topic).catch(refuseChange);
    if (!existed) throw topicNotFound(topic);
    this.#watcher?.onDeleted(topic);
  }

  async #infosOf(states: readonly TopicState[]): Promise<readonly TopicInfo[]> {
    const counts = await this.#nodes.subscribers(states.map(({ topic }) => topic));
    return states.map((state, at) => infoOf(state, counts[at] ?? 0));
  }
}

/** The topic was declared before the log failed. */
function refuseDeclared(error: unknown): never {
  if (!(error instanceof FanfareError && error.code === 'storage_unavailable')) throw error;
  const detail = 'The topic is declared, but its state cannot be read: send the request again.';
  throw new FanfareError('outcome_unknown', detail, { cause: error });
}

function infoOf({ topic, messages, last, published, lastTime }: TopicState, subscribers: number): TopicInfo {
  return {
    topic,
    subscribers,
    messages,
    ...(last && { lastOffset: formatOffset(last) }),
    published,
    ...(lastTime !== undefined && { lastTime }),
  };
}
