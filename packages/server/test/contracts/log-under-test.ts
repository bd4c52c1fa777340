import type { Stored, Topic } from '@fanfare/protocol';
import type { TopicLog } from '../../src/log/topic-log.ts';
import type { Rule } from '../../src/rules/rule.ts';

/** What the contract asks a log to be made with. */
export interface LogOptions {
  readonly rules: readonly Rule[];
  /** For topics that no rule matches. */
  readonly fallback: Rule;
  readonly topicsMax: number;
  readonly idWindowMs: number;
  readonly idsMax: number;
  /** Which topics somebody is subscribed to; none, when it is not there. */
  readonly isInUse?: (topic: Topic) => boolean;
  /** How many unused names a subject may hold; any number, when it is not there. */
  readonly unusedPerSubjectMax?: number;
}

/** What the contract needs to steer a log. */
export interface LogUnderTest {
  readonly log: TopicLog;
  /** At which level it stores. */
  readonly level: Exclude<Stored, 'none'>;
  /** What its clock showed when it was opened. */
  readonly startTime: number;
  /** Moves its clock, forward or back; resolves when retention has had what goes by then read no more. */
  readonly advance: (ms: number) => Promise<void>;
  /** Closes it and opens it again, where that makes sense. The log of before is not used any more. */
  readonly reopen?: () => Promise<TopicLog>;
  /** Ends it, also when it was closed already. */
  readonly close: () => Promise<void>;
}

export type OpenLog = (options: LogOptions) => Promise<LogUnderTest>;
