import { matches, type Pattern } from '@fanfare/protocol';
import type { MayRead } from '../../topic-log.ts';

/** Selects the topics for a reader of a pattern. */
export interface PatternFilter {
  readonly pattern: Pattern;
  /** Whether a topic matches the pattern, and may be read. */
  readonly isWanted: MayRead;
  /** Whether the reader may read only a part of the pattern. */
  readonly isRestricted: boolean;
}

export function patternFilter(pattern: Pattern, mayRead: MayRead | undefined): PatternFilter {
  const isWanted: MayRead = mayRead
    ? (topic) => matches(pattern, topic) && mayRead(topic)
    : (topic) => matches(pattern, topic);
  return { pattern, isWanted, isRestricted: mayRead !== undefined };
}
