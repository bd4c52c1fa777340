import type { Interest, Topic } from '@fanfare/protocol';

declare const restricted: unique symbol;

/**
 * Those who are subscribed to a topic or pattern and may read the same of it: of whoever may read all of it, it is the
 * interest itself.
 */
export type Audience = Interest | (string & { readonly [restricted]: true });

/** Lets through the topics that an audience may read. */
export interface TopicFilter {
  /** Who may read the same has the same one. */
  readonly key: string;
  readonly allows: (topic: Topic) => boolean;
}

/** No interest has a control character. */
const separator = '\0';

export function audienceOf(interest: Interest, filter: TopicFilter | undefined): Audience {
  return filter ? (`${interest}${separator}${filter.key}` as Audience) : interest;
}

export function interestOf(audience: Audience): Interest {
  const end = audience.indexOf(separator);
  return (end < 0 ? audience : audience.slice(0, end)) as Interest;
}
