import { FanfareError, type Form, type Topic } from '@fanfare/protocol';

/** How many connections are subscribed to a topic, by form. */
export type Subscribers = Readonly<Record<Form, number>>;

interface TopicEntry extends Record<Form, number> {
  messages: number;
}

/**
 * Which topics exist and how many subscriptions each has. A topic goes on existing when its last
 * subscriber leaves.
 */
export class SubscriptionIndex {
  readonly #topics = new Map<Topic, TopicEntry>();
  readonly #topicsMax: number;

  /** @param topicsMax - how many topics there may be; each costs memory for as long as the server runs */
  constructor(topicsMax: number) {
    this.#topicsMax = topicsMax;
  }

  /** Undefined when the topic does not exist. */
  subscribers(topic: Topic): Subscribers | undefined {
    return this.#topics.get(topic);
  }

  /** Counts a message of a topic, and tells who is to get it. */
  countMessage(topic: Topic): Subscribers | undefined {
    const entry = this.#topics.get(topic);
    if (entry) entry.messages++;
    return entry;
  }

  /** How many messages a topic has had since it exists. */
  messages(topic: Topic): number {
    return this.#topics.get(topic)?.messages ?? 0;
  }

  /** @throws FanfareError `limit_exceeded` when the topic would be one too many */
  add(topic: Topic, form: Form): void {
    let subscribers = this.#topics.get(topic);
    if (!subscribers) {
      if (this.#topics.size >= this.#topicsMax) {
        throw new FanfareError(
          'limit_exceeded',
          `The server has ${this.#topicsMax} topics, as many as it may.`,
        );
      }
      subscribers = { plain: 0, envelope: 0, messages: 0 };
      this.#topics.set(topic, subscribers);
    }
    subscribers[form]++;
  }

  /** MUST follow an `add` of the same topic and form. */
  remove(topic: Topic, form: Form): void {
    const subscribers = this.#topics.get(topic);
    if (subscribers) subscribers[form]--;
  }
}
