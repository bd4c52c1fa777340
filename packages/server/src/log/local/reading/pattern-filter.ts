import { matches, type Pattern } from '@fanfare/protocol';
import type { MayRead } from '../../topic-log.ts';

/** What somebody reads who reads a pattern. */
export interface PatternFilter {
  readonly pattern: Pattern;
  /** Whether a topic is one of the pattern's, and may be read. */
  readonly isWanted: MayRead;
  /** Whether not all of the pattern may be read. */
  readonly isRestricted: boolean;
}

export function patternFilter(pattern: Pattern, mayRead: MayRead | undefined): PatternFilter {
  const isWanted: MayRead = mayRead
    ? (topic) => matches(pattern, topic) && mayRead(topic)
    : (topic) => matches(pattern, topic);
  return { pattern, isWanted, isRestricted: mayRead !== undefined };
}
