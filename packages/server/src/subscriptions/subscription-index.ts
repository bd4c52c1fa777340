import { isPattern, isReservedTopic, type Form, type Interest, type Topic } from '@fanfare/protocol';
import { audienceName, type Audience, type TopicFilter } from './audience.ts';
import { PatternTree } from './pattern-tree.ts';

/** The maximum size of the cache of lookups: the number of topics and of audiences in it. */
const rememberedMax = 65_536;

/** The index of all subscriptions, by topic and pattern. */
export class SubscriptionIndex {
  readonly #topics = new Map<Interest, Audience>();
  /** The audiences of each pattern, by their names. */
  readonly #patterns = new PatternTree<Map<string, Audience>>();
  /**
   * A cache of lookups, because the topic of a message is looked up several times. Emptied when an audience
   * begins or ends.
   */
  readonly #found = new Map<Topic, readonly Audience[]>();
  #remembered = 0;
  #size = 0;

  /** The number of subscriptions, live or not. */
  get size(): number {
    return this.#size;
  }

  /**
   * Adds a subscription. {@link close} MUST be called once for it.
   *
   * @param filter - for a pattern: the topics that the subscriber may read, if it may not read all of them
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

  /** The audiences that receive the messages of a topic. */
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

  /** Whether there is a subscription to a pattern that matches the topic. */
  isCovered(topic: Topic): boolean {
    return this.matching(topic).some(({ interest }) => isPattern(interest));
  }

  /** Whether there is a subscription to the topic or pattern itself. */
  isSubscribed(interest: Interest): boolean {
    return isPattern(interest) ? this.#patterns.get(interest) !== undefined : this.#topics.has(interest);
  }

  /** The topics and patterns that have subscriptions. */
  *interests(): Generator<Interest, void, undefined> {
    yield* this.#topics.keys();
    for (const audiences of this.#patterns.values()) {
      const [first] = audiences.values();
      if (first) yield first.interest;
    }
  }

  /**
   * The number of subscriptions that receive the messages of a topic: those to the topic, and those to
   * matching patterns.
   */
  subscribers(topic: Topic): number {
    // The result is not cached: a list of all topics would evict the topics of current publishes.
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
