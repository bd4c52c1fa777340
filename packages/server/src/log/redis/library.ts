import type { From, Offset, Pattern, Topic } from '@fanfare/protocol';
import type {
  AppendOutcome,
  LogRecord,
  LogUsage,
  NewRecord,
  Opened,
  Page,
  PageBefore,
  PageLimit,
  Position,
  Revocation,
  Start,
  TopicCreation,
  TopicQuery,
  TopicState,
} from '../topic-log.ts';

export type Argument = string | number | Buffer;

/** Calls a function of Redis on the command connection. Strings in its answer are buffers. */
export type CallFunction = (name: string, args: readonly Argument[]) => Promise<unknown>;

/** The state of the log as Redis has it now. */
export interface RemoteState {
  readonly epoch: string;
  readonly head: number;
  /**
   * The number of announcements. It goes on in a new epoch, except if Redis was emptied or is an older copy.
   */
  readonly batch: number;
  /** Redis's clock, in milliseconds since 1970. */
  readonly clock: number;
  /**
   * The earlier epochs, from the oldest: each with the sequence up to which it is one log with the next. The
   * functions `hello`, `state` and `since` give all of them, the others only those that their answer needs.
   */
  readonly lineage: readonly Offset[];
}

/** An announcement on the log's channel: of a batch, of a new epoch, or of topics that are gone. */
export interface Frame {
  readonly epoch: string;
  readonly batch: number;
  readonly headBefore: number;
  readonly head: number;
  readonly time: number;
  readonly records: readonly LogRecord[];
  /** The topics that were deleted or forgotten: what a node has of them in memory counts no more. */
  readonly deleted: readonly Topic[];
}

export interface AppendCall {
  /** The node's id, and the number of its batch, from 1. The same number again has the same result. */
  readonly node: string;
  readonly number: number;
  /** The place up to which the node's tail has come. */
  readonly seen: Offset;
  /** By Redis's clock. Afterwards the call does nothing. */
  readonly validUntil: number;
  readonly records: readonly NewRecord[];
}

export type AppendReply =
  | { readonly kind: 'done'; readonly outcomes: readonly AppendOutcome[] }
  /** The log has begun a new epoch, and nothing was appended. The same call can succeed now. */
  | { readonly kind: 'adopted' }
  /**
   * It is too late, or a later batch of this node was applied already. Nothing was appended now; whether it
   * was before is unknown.
   */
  | { readonly kind: 'late' | 'superseded' };

/** The records after a place, over all topics, for filling a gap of the tail. */
export interface Since {
  /** In the order of the log. */
  readonly records: readonly LogRecord[];
  /** The place up to which these are all records. */
  readonly through: number;
  /** Whether that is the head. */
  readonly isComplete: boolean;
  readonly state: RemoteState;
  /** Whether the log has dropped records after the place, or does not have the place. */
  readonly hasGap: boolean;
}

/** An answer, and the state of the log when it was given. */
export interface At<T> {
  readonly state: RemoteState;
  readonly value: T;
}

/** Some messages of a topic that follow one another in the log. */
export interface Run {
  readonly topic: Topic;
  /** The ordinal and the sequence of the first one. */
  readonly ordinal: number;
  readonly sequence: number;
  readonly count: number;
}

/** What a reader of a pattern may have missed, by topics and by the first segments of topics. */
export interface Losses {
  /** Whether any topic may be among them. */
  readonly isUnknown: boolean;
  readonly topics: readonly Topic[];
  readonly segments: readonly string[];
}

/** The order of the log after a position, over all topics. */
export interface Runs {
  /** Only what is still stored. */
  readonly runs: readonly Run[];
  /** The place up to which these are all runs. */
  readonly through: number;
  /** Whether that is the head. */
  readonly isComplete: boolean;
  readonly changes: number;
  /** `newest.through` of the position, in this log. */
  readonly newestThrough: number;
  readonly lost: Losses;
}

export interface PatternStart {
  readonly sequence: number;
  readonly changes: number;
  /** Only for an offset: `ours`, or why it is not in this log. */
  readonly kind: 'ours' | 'lost' | 'ahead' | 'unknown';
  /** Only for an offset: the deletions after it. */
  readonly deleted: Losses;
  /** Only for an offset: the topics with messages after it, if these are few. */
  readonly after?: readonly TopicAfter[];
}

/** A topic with messages after a place. */
export interface TopicAfter {
  readonly topic: Topic;
  /** The number of stored messages after the place. */
  readonly due: number;
  /** Whether messages after the place are not stored any more. */
  readonly isLost: boolean;
}

/** What counts of a topic for the start of a pattern. */
export interface Survey {
  /** The number of stored messages after the start. */
  readonly due: number;
  /** The place before the first of them; undefined if there is none. */
  readonly place?: number;
  /** Whether messages after the start were dropped. */
  readonly isLost: boolean;
}

/** The subscriber for whom a topic is opened. */
export interface OpenCall {
  readonly node: string;
  readonly subject: string | undefined;
  /** Whether the node has a subscriber for the topic, or is about to get one. */
  readonly isInUse: boolean;
}

/** A use of a topic by a node's subscribers, or their end. */
export interface TopicUse {
  readonly topic: Topic;
  readonly isInUse: boolean;
}

/** A use of a pattern by a node's subscribers, or their end. */
export interface PatternUse {
  readonly pattern: Pattern;
  readonly isInUse: boolean;
}

export interface Sweep {
  /** Whether there is more to do at once. */
  readonly hasMore: boolean;
  /** The place in the journal where the next sweep goes on. */
  readonly journal: string;
  /** The time by the clock; an earlier time while the clock is on trial. */
  readonly trustedTime: number;
  /** Whether the node was not known, so that it has to tell what its subscribers use. */
  readonly wasGone: boolean;
  /** Another one if the revocations have changed. */
  readonly revocationsVersion: number;
}

export interface StoredRevocations {
  readonly revocations: readonly Revocation[];
  readonly version: number;
  readonly trustedTime: number;
}

/**
 * The functions of the log in Redis. Each call is one round trip, and calls take effect in their order. They
 * reject with a LogDamagedError if the keys of the log are not what they should be, and with the errors of
 * {@link CallFunction}.
 */
export interface LogLibrary {
  /** Begins the log if there is none, and checks what it relies on. */
  hello(node: string, seen: Offset | undefined): Promise<RemoteState>;
  /** @param seen - the place up to which the node's tail has come */
  state(seen?: Offset): Promise<RemoteState>;
  append(call: AppendCall): Promise<AppendReply>;
  since(after: Offset, limit: PageLimit): Promise<Since>;
}

/** Finding places, and reading. */
export interface ReadingLibrary {
  /** Creates a topic if it does not exist, and finds where reading starts. */
  open(topic: Topic, from: From, call: OpenCall): Promise<At<Opened>>;
  /** Also tells whether the topic is only a name, so that this use of it counts. */
  locate(topic: Topic, from: From): Promise<At<Start & { readonly isName: boolean }>>;
  page(topic: Topic, position: Position, limit: PageLimit): Promise<At<Page>>;
  before(
    topic: Topic,
    before: Offset,
    limit: PageLimit,
  ): Promise<At<PageBefore & { readonly isName: boolean }>>;

  runs(position: Position): Promise<At<Runs>>;
  /**
   * The messages of runs. If the first ones of a run are missing, they were dropped meanwhile. Later runs can
   * be missing if the messages have more than `bytesMax`.
   *
   * @param epoch - of the answer that named the runs. The log may have lost them since
   */
  records(
    epoch: string,
    runs: readonly Run[],
    bytesMax: number,
  ): Promise<At<readonly (readonly LogRecord[])[]>>;
  patternStart(from: From): Promise<At<PatternStart>>;
  /** @param sequence - of the start; for `last`, the place up to which messages are counted */
  survey(from: From, sequence: number, topics: readonly Topic[]): Promise<readonly Survey[]>;
  /** The names after a name that begin with a prefix, in order. */
  names(query: TopicQuery): Promise<{ readonly topics: readonly Topic[]; readonly isEnd: boolean }>;
}

/** Topics, and the upkeep of the log. */
export interface TopicLibrary {
  list(query: TopicQuery): Promise<readonly TopicState[]>;
  state(topic: Topic): Promise<TopicState | undefined>;
  declare(topic: Topic): Promise<TopicCreation>;
  /**
   * Counts the node as alive. Tells the topics that its subscribers use, and creates those that the log does
   * not have.
   */
  use(node: string, topics: readonly Topic[]): Promise<void>;
  touch(node: string, uses: readonly TopicUse[]): Promise<void>;
  /** Tells which patterns the node's subscribers use, or do not use any more. */
  cover(node: string, uses: readonly PatternUse[]): Promise<void>;
  /** The patterns of all nodes. None if the version is the known one. */
  patterns(known: string): Promise<{ readonly version: string; readonly patterns: readonly Pattern[] }>;
  delete(topic: Topic): Promise<boolean>;

  /** Does what is due once a second. @param journal - where the last sweep ended, or '-' */
  sweep(node: string, journal: string): Promise<Sweep>;
  /** Whether these rules were applied to all topics last. */
  hasRules(): Promise<boolean>;
  /** Applies the rules to topics that exist. @param isLast - whether all others have them */
  retain(topics: readonly Topic[], isLast: boolean): Promise<void>;
  /** The node's subscribers are gone. */
  leave(node: string): Promise<void>;
  usage(): Promise<LogUsage>;
  revocations(): Promise<StoredRevocations>;
  /** Adds a revocation, and removes those of other subjects. */
  revoke(revocation: Revocation, ended: readonly string[]): Promise<void>;
}
