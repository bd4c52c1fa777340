import { matches, type Interest, type Topic } from '@fanfare/protocol';
import type { Start } from './from.ts';

/** What is known of a subscription, so that it can be taken up again where it was. */
export interface Subscription {
  readonly topic: string;
  /** Where it began, until the server has said so. */
  start: Start['from'] | undefined;
  /** Everything up to here has come; undefined while that is not known, or the server keeps nothing. */
  offset: string | undefined;
  isLive: boolean;
  /** Whether it was ever acknowledged. */
  isTaken: boolean;
}

/** The subscriptions of a connection, by topic or pattern. */
export class Subscriptions {
  readonly #byTopic = new Map<string, Subscription>();

  get topics(): readonly string[] {
    return [...this.#byTopic.keys()];
  }

  get(topic: string): Subscription | undefined {
    return this.#byTopic.get(topic);
  }

  open(topic: string, start: Start['from'] | undefined): Subscription {
    const known = this.#byTopic.get(topic);
    if (known) return known;
    const subscription = { topic, start, offset: undefined, isLive: true, isTaken: false };
    this.#byTopic.set(topic, subscription);
    return subscription;
  }

  delete(topic: string): void {
    this.#byTopic.delete(topic);
  }

  /**
   * A message has come: those that it is for have had everything up to it.
   *
   * @param replay - the one subscription that it is for; undefined when it is for all that are live and match
   * @returns whether it is for any
   */
  received(topic: string, offset: string | undefined, replay: string | undefined): boolean {
    if (replay !== undefined) return this.#advance(this.get(replay), offset);
    let isWanted = false;
    for (const subscription of this.#byTopic.values()) {
      if (!matches(subscription.topic as Interest, topic as Topic)) continue;
      isWanted = true;
      if (subscription.isLive) this.#advance(subscription, offset);
    }
    return isWanted;
  }

  #advance(subscription: Subscription | undefined, offset: string | undefined): boolean {
    if (subscription && offset !== undefined) subscription.offset = offset;
    return subscription !== undefined;
  }
}
