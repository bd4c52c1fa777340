import { isPattern, isReservedTopic, type Form, type Interest, type Topic } from '@fanfare/protocol';
import { audienceName, type Audience, type TopicFilter } from './audience.ts';
import { PatternTree } from './pattern-tree.ts';

/** The size of the memo of lookups, in topics and audiences found. */
const rememberedMax = 65_536;

/** Knows which subscriptions there are, by topic and pattern. */
export class SubscriptionIndex {
  readonly #topics = new Map<Interest, Audience>();
  /** By the audience's name. */
  readonly #patterns = new PatternTree<Map<string, Audience>>();
  /** A memo of lookups, valid until an audience comes or goes: the topic of a message is looked up several times. */
  readonly #found = new Map<Topic, readonly Audience[]>();
  #remembered = 0;
  #size = 0;

  /** The number of subscriptions, live or not. */
  get size(): number {
    return this.#size;
  }

  /**
   * MUST be followed by one {@link close}.
   *
   * @param filter - of a pattern: the topics that may be read, if not all of them
   */
  open(interest: Interest, form: Form, filter?: TopicFilter): Audience {
    const name = audienceName(interest, filter);
    this.#size++;
    const known = isPattern(interest) ? this.#patterns.get(interest)?.get(name) : this.#topics.get(interest);
    if (known) {
      known.subscriptions[form]++;
      return known;
    }
    const subscriptions = { plain: 0, envelope: 0, [form]: 1 };
    const live = { plain: 0, envelope: 0 };
    const audience = { name, interest, filter, subscriptions, live, unstored: 0 };
    this.#forget();
    if (!isPattern(interest)) this.#topics.set(interest, audience);
    else if (this.#patterns.get(interest)?.set(name, audience) === undefined)
      this.#patterns.set(interest, new Map([[name, audience]]));
    return audience;
  }

  close({ interest, name, subscriptions }: Audience, form: Form): void {
    this.#size--;
    subscriptions[form]--;
    if (subscriptions.plain + subscriptions.envelope > 0) return;
    this.#forget();
    if (!isPattern(interest)) this.#topics.delete(interest);
    else {
      const audiences = this.#patterns.get(interest);
      audiences?.delete(name);
      if (audiences?.size === 0) this.#patterns.delete(interest);
    }
  }

  /** The audiences that a topic's messages are for. */
  matching(topic: Topic): readonly Audience[] {
    const known = this.#found.get(topic);
    if (known) return known;
    const found = this.#find(topic);
    this.#remembered += 1 + found.length;
    if (this.#remembered > rememberedMax) this.#forget();
    this.#found.set(topic, found);
    return found;
  }

  #find(topic: Topic): readonly Audience[] {
    const found: Audience[] = [];
    const own = this.#topics.get(topic);
    if (own) found.push(own);
    for (const audiences of this.#patterns.matching(topic)) {
      for (const audience of audiences.values()) {
        if (audience.filter === undefined || audience.filter.allows(topic)) found.push(audience);
      }
    }
    return found;
  }

  /** Whether a pattern that stands for a topic has a subscription. */
  isCovered(topic: Topic): boolean {
    return this.matching(topic).some(({ interest }) => isPattern(interest));
  }

  /** Whether the topic itself has a subscription. */
  isSubscribed(topic: Topic): boolean {
    return this.#topics.has(topic);
  }

  /** The number of subscriptions that get what is published to a topic: to it, and to patterns by which it may be read. */
  subscribers(topic: Topic): number {
    // The memo is not changed: listing all topics would drive out the topics that are published to.
    const audiences = this.#found.get(topic) ?? this.#find(topic);
    const forms: readonly Form[] = isReservedTopic(topic) ? ['envelope'] : ['plain', 'envelope'];
    let count = 0;
    for (const { subscriptions } of audiences) for (const form of forms) count += subscriptions[form];
    return count;
  }

  #forget(): void {
    this.#found.clear();
    this.#remembered = 0;
  }
}
