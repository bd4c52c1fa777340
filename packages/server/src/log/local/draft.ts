import type { TopicEntry } from './topic-table.ts';
import type { Place } from './use-order.ts';

/** What a topic is to become. */
export interface Draft {
  readonly entry: TopicEntry;
  readonly isNew: boolean;
  /** What has no messages and was not declared can wait. */
  isToBeSaved: boolean;
  isDeclared: boolean;
  count: number;
  bytes: number;
  lastSequence: number;
  published: number;
  lastTime: number;
  /** Among the names that the plan uses, where it is only a name: of all subjects, and of its own. */
  place: Place<Draft> | undefined;
  ownPlace: Place<Draft> | undefined;
}

export function draftOf(entry: TopicEntry, isNew: boolean): Draft {
  const { isDeclared, count, bytes, lastSequence, published, lastTime } = entry;
  const grown = { isDeclared, count, bytes, lastSequence, published, lastTime };
  return { entry, isNew, isToBeSaved: false, place: undefined, ownPlace: undefined, ...grown };
}

/** Whether the store has messages of a topic, or is to have some. */
export function hasChunks({ entry, count }: Draft): boolean {
  return entry.oldest !== undefined || count > entry.count;
}

/** Whether the store may have a record of a topic. It has an old one of a topic that is to be saved again. */
export function isInStore({ isNew, entry }: Draft): boolean {
  return !isNew && (entry.isSaved || entry.bornAt < 0);
}

export function assign(
  entry: TopicEntry,
  { isDeclared, count, bytes, lastSequence, published, lastTime }: Draft,
): void {
  entry.isDeclared = isDeclared;
  entry.count = count;
  entry.bytes = bytes;
  entry.lastSequence = lastSequence;
  entry.published = published;
  entry.lastTime = lastTime;
}
