import { isPattern, isReservedTopic, type Form, type Interest, type Topic } from '@fanfare/protocol';
import { audienceOf, type Audience, type TopicFilter } from './audience.ts';
import { PatternTree } from './pattern-tree.ts';

/** A topic or pattern that somebody is subscribed to, who may read a certain part of it. */
export interface InterestEntry {
  readonly interest: Interest;
  /** Undefined where all of it may be read. */
  readonly filter: TopicFilter | undefined;
  readonly audience: Audience;
  /** How many subscriptions there are, live or not, by form. */
  readonly subscriptions: Record<Form, number>;
  /** How many of them get messages as they come. */
  readonly live: Record<Form, number>;
  /** How many messages passed by that are not stored: whoever is not live has missed them. */
  unstored: number;
}

/** How much is remembered of what was found, in topics and entries found. */
const rememberedMax = 65_536;

/** Who is subscribed to what. */
export class SubscriptionIndex {
  readonly #topics = new Map<Interest, InterestEntry>();
  /** By audience. */
  readonly #patterns = new PatternTree<Map<Audience, InterestEntry>>();
  /** What was found since an entry came or went: a message's topic is looked up more than once, and not the last time. */
  readonly #found = new Map<Topic, readonly InterestEntry[]>();
  #remembered = 0;
  #size = 0;

  /** How many subscriptions there are, live or not. */
  get size(): number {
    return this.#size;
  }

  /**
   * MUST be followed by one {@link close}.
   *
   * @param filter - of a pattern: what of it may be read, where that is not all
   */
  open(interest: Interest, form: Form, filter?: TopicFilter): InterestEntry {
    const audience = audienceOf(interest, filter);
    this.#size++;
    const known = isPattern(interest)
      ? this.#patterns.get(interest)?.get(audience)
      : this.#topics.get(interest);
    if (known) {
      known.subscriptions[form]++;
      return known;
    }
    const subscriptions = { plain: 0, envelope: 0, [form]: 1 };
    const live = { plain: 0, envelope: 0 };
    const entry = { interest, filter, audience, subscriptions, live, unstored: 0 };
    this.#forget();
    if (!isPattern(interest)) this.#topics.set(interest, entry);
    else if (this.#patterns.get(interest)?.set(audience, entry) === undefined)
      this.#patterns.set(interest, new Map([[audience, entry]]));
    return entry;
  }

  close({ interest, audience, subscriptions }: InterestEntry, form: Form): void {
    this.#size--;
    subscriptions[form]--;
    if (subscriptions.plain + subscriptions.envelope > 0) return;
    this.#forget();
    if (!isPattern(interest)) this.#topics.delete(interest);
    else {
      const entries = this.#patterns.get(interest);
      entries?.delete(audience);
      if (entries?.size === 0) this.#patterns.delete(interest);
    }
  }

  /** Everything somebody is subscribed to that a topic's messages are for. */
  matching(topic: Topic): readonly InterestEntry[] {
    const known = this.#found.get(topic);
    if (known) return known;
    const found = this.#find(topic);
    this.#remembered += 1 + found.length;
    if (this.#remembered > rememberedMax) this.#forget();
    this.#found.set(topic, found);
    return found;
  }

  #find(topic: Topic): readonly InterestEntry[] {
    const found: InterestEntry[] = [];
    const own = this.#topics.get(topic);
    if (own) found.push(own);
    for (const entries of this.#patterns.matching(topic)) {
      for (const entry of entries.values()) {
        if (entry.filter === undefined || entry.filter.allows(topic)) found.push(entry);
      }
    }
    return found;
  }

  /** Whether somebody is subscribed to a pattern that stands for a topic. */
  isCovered(topic: Topic): boolean {
    return this.matching(topic).some(({ interest }) => isPattern(interest));
  }

  /** Whether somebody is subscribed to the very topic. */
  isSubscribed(topic: Topic): boolean {
    return this.#topics.has(topic);
  }

  /** How many subscriptions get what is published to a topic: those to it, and those to patterns by which it may be read. */
  subscribers(topic: Topic): number {
    // Not remembered: listing all topics would drive out those that are published to.
    const entries = this.#found.get(topic) ?? this.#find(topic);
    const forms: readonly Form[] = isReservedTopic(topic) ? ['envelope'] : ['plain', 'envelope'];
    let count = 0;
    for (const { subscriptions } of entries) for (const form of forms) count += subscriptions[form];
    return count;
  }

  #forget(): void {
    this.#found.clear();
    this.#remembered = 0;
  }
}
