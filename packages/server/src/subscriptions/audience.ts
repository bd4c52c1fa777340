import type { Form, Interest, Topic } from '@fanfare/protocol';

/** All subscribers of a topic or pattern that may read the same part of it. */
export interface Audience {
  /**
   * The unique name of the audience. If its subscribers may read the whole interest, the name is the interest
   * itself.
   */
  readonly name: string;
  readonly interest: Interest;
  /** Undefined if the subscribers may read the whole interest. */
  readonly filter: TopicFilter | undefined;
  /** The number of subscriptions of each form, live or not. */
  readonly subscriptions: Record<Form, number>;
  /** The number of subscriptions of each form that receive messages as they are published. */
  readonly live: Record<Form, number>;
  /** The number of unstored messages so far. A subscription that was not live has missed them. */
  unstored: number;
}

/** Lets through the topics that an audience may read. */
export interface TopicFilter {
  /** Readers that may read the same topics have the same key. */
  readonly key: string;
  readonly allows: (topic: Topic) => boolean;
}

/** An interest cannot contain it, because it is a control character. */
const separator = '\0';

export function audienceName(interest: Interest, filter: TopicFilter | undefined): string {
  return filter ? `${interest}${separator}${filter.key}` : interest;
}
