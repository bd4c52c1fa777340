import type { Stored, Topic } from '@fanfare/protocol';
import type {
  AppendOutcome,
  LogRecord,
  NewRecord,
  TopicCreation,
  TopicLog,
} from '../../src/log/topic-log.ts';
import type { Rule } from '../../src/rules/rule.ts';

/** The options of a log under test. */
export interface LogOptions {
  readonly rules: readonly Rule[];
  /** For topics that no rule matches. */
  readonly fallback: Rule;
  readonly topicsMax: number;
  readonly idWindowMs: number;
  readonly idsMax: number;
  /** Whether a topic has subscribers. Without it, none has. */
  readonly isInUse?: (topic: Topic) => boolean;
  /** The limit of unused names per subject. Without it, there is none. */
  readonly unusedPerSubjectMax?: number;
}

/** What the contract needs to control a log. */
export interface LogUnderTest {
  readonly log: TopicLog;
  /** The level at which it stores. */
  readonly level: Exclude<Stored, 'none'>;
  /** The time of its clock when it was opened. */
  readonly startTime: number;
  /**
   * Moves its clock, forward or back. Resolves after retention has stopped the reading of what is dropped by
   * then.
   */
  readonly advance: (ms: number) => Promise<void>;
  /** Resolves when the tail has everything that was acknowledged. Without it, it always has. */
  readonly settled?: () => Promise<void>;
  /**
   * Whether it still has the subjects, uses and counts of topics after it was opened again, as a log does
   * that several servers share.
   */
  readonly isShared?: boolean;
  /** Closes it and opens it again, if that makes sense. The earlier log is not used any more. */
  readonly reopen?: () => Promise<TopicLog>;
  /** Closes it, even if it was closed already. */
  readonly close: () => Promise<void>;
}

export type OpenLog = (options: LogOptions) => Promise<LogUnderTest>;

/** Creates a topic, as a subscriber does. */
export async function create(log: TopicLog, topic: Topic, subject?: string): Promise<TopicCreation> {
  return (await log.open(topic, { kind: 'new' }, { subject })).creation;
}

/** Appends one record without a promise of the log. */
export function appendOne(log: TopicLog, record: NewRecord): Promise<AppendOutcome> {
  return new Promise((onOutcome, onFailure) => log.appendOne(record, { onOutcome, onFailure }));
}

/** Collects the records that the tail of a log gets from now on. Fails if it misses any. */
export function tailOf(log: TopicLog): LogRecord[] {
  const records: LogRecord[] = [];
  const fail = (): never => {
    throw new Error('the tail missed records');
  };
  log.tail({ onRecords: (committed) => void records.push(...committed), onMissed: fail, onBehind: fail });
  return records;
}
