import type { Form, Interest, Topic } from '@fanfare/protocol';

/** All who are subscribed to a topic or pattern, and may read the same part of it. */
export interface Audience {
  /** No other audience has the same. Where all of the interest may be read, it is the interest itself. */
  readonly name: string;
  readonly interest: Interest;
  /** Undefined where all of the interest may be read. */
  readonly filter: TopicFilter | undefined;
  /** The number of subscriptions of each form, live or not. */
  readonly subscriptions: Record<Form, number>;
  /** The number of subscriptions of each form that receive messages as they come. */
  readonly live: Record<Form, number>;
  /** The number of unstored messages that have passed. A subscription that is not live has missed them. */
  unstored: number;
}

/** Lets through the topics that an audience may read. */
export interface TopicFilter {
  /** Readers that may read the same topics have the same key. */
  readonly key: string;
  readonly allows: (topic: Topic) => boolean;
}

/** No interest has a control character. */
const separator = '\0';

export function audienceName(interest: Interest, filter: TopicFilter | undefined): string {
  return filter ? `${interest}${separator}${filter.key}` : interest;
}
