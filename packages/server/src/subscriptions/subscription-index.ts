import { isPattern, type Form, type Interest, type Topic } from '@fanfare/protocol';
import { PatternTree } from './pattern-tree.ts';

/** A topic or pattern that somebody is subscribed to. */
export interface InterestEntry {
  readonly interest: Interest;
  /** How many subscriptions there are, live or not. */
  subscriptions: number;
  /** How many of them get messages as they come, by form. */
  readonly live: Record<Form, number>;
  /** How many messages passed by that are not stored: whoever is not live has missed them. */
  unstored: number;
}

/** Who is subscribed to what. */
export class SubscriptionIndex {
  readonly #topics = new Map<Interest, InterestEntry>();
  readonly #patterns = new PatternTree<InterestEntry>();

  /** MUST be followed by one {@link close}. */
  open(interest: Interest): InterestEntry {
    const known = isPattern(interest) ? this.#patterns.get(interest) : this.#topics.get(interest);
    const entry = known ?? { interest, subscriptions: 0, live: { plain: 0, envelope: 0 }, unstored: 0 };
    entry.subscriptions++;
    if (known) return entry;
    if (isPattern(interest)) this.#patterns.set(interest, entry);
    else this.#topics.set(interest, entry);
    return entry;
  }

  close(entry: InterestEntry): void {
    if (--entry.subscriptions > 0) return;
    if (isPattern(entry.interest)) this.#patterns.delete(entry.interest);
    else this.#topics.delete(entry.interest);
  }

  /** Everything somebody is subscribed to that a topic's messages are for. */
  matching(topic: Topic): readonly InterestEntry[] {
    const own = this.#topics.get(topic);
    const patterns = this.#patterns.matching(topic);
    return own ? [own, ...patterns] : patterns;
  }

  /** Whether somebody is subscribed to a pattern that stands for a topic. */
  isCovered(topic: Topic): boolean {
    return this.#patterns.matching(topic).length > 0;
  }

  /** How many subscriptions to the very topic there are. */
  subscribers(topic: Topic): number {
    return this.#topics.get(topic)?.subscriptions ?? 0;
  }
}
