import type { From, Interest, LogSize, Offset, Stored, Topic } from '@fanfare/protocol';
import { fixedLimits } from '../limits/fixed-limits.ts';

const waitingMiB = fixedLimits.storesWaitingBytesMax.value / 1_048_576;

/** A message that is about to be appended. */
export interface NewRecord {
  readonly topic: Topic;
  /** The message as JSON text without insignificant white space. */
  readonly messageJson: string;
  /**
   * The idempotency key. A second append of it, by the same subject to the same topic, makes no second
   * record.
   */
  readonly id?: string;
  /** The authenticated subject, if the topic's rule shows the publisher to readers. */
  readonly publisher?: string;
  /**
   * The authenticated subject of the publisher. The id, and a topic that is created for the record, belong to
   * it.
   */
  readonly subject?: string;
  /**
   * Whether the append creates the topic if it does not exist. Otherwise only the topic's rule can have it
   * created.
   */
  readonly createsTopic?: boolean;
}

/** A message in the log, or one that passed through the tail without being stored. */
export interface LogRecord extends NewRecord, Offset {
  /** The epoch of the log when the record was appended. It stays the same when the log has a new epoch. */
  readonly epoch: string;
  /**
   * The position in the log, which increases from record to record over all topics. A record that is not
   * stored has the sequence of the newest stored record before it.
   */
  readonly sequence: number;
  /** The number of the message in its topic: from 1, without gaps. 0 if the message is not stored. */
  readonly ordinal: number;
  /**
   * The timestamp, in milliseconds since 1970. The order of records is that of `sequence`: the time goes back
   * if the clock was set back by more than a minute.
   */
  readonly time: number;
}

/** A record that the log has, from this append or from an earlier one with the same id. */
export interface Appended extends Offset {
  readonly kind: 'appended' | 'duplicate';
  readonly time: number;
  readonly stored: Stored;
}

/**
 * The result of appending one {@link NewRecord}. Only the first two kinds mean that the log has the message.
 */
export type AppendOutcome =
  | Appended
  /** The topic does not exist, and this append does not create it. */
  | { readonly kind: 'topic_not_found' }
  /** The limit of topics is reached, and there are no unused names. */
  | { readonly kind: 'topics_exhausted' }
  /** The message is larger than the topic's rule allows. */
  | { readonly kind: 'message_too_large'; readonly bytesMax: number }
  /** The id was used for a different message. */
  | { readonly kind: 'id_conflict' }
  /** The idempotency table is full. The same append can succeed later. */
  | { readonly kind: 'ids_exhausted' };

/** Receives the result of {@link TopicLog.appendOne}. Its functions MUST NOT throw. */
export interface OutcomeListener {
  readonly onOutcome: (outcome: AppendOutcome) => void;
  /** Receives the error for which {@link TopicLog.append} would reject. */
  readonly onFailure: (error: unknown) => void;
}

/**
 * Receives what happens at the head of the log, in its order. Its functions MUST NOT throw: the records are
 * committed, even if their delivery fails.
 */
export interface TailListener {
  /** Receives the records of one commit. */
  readonly onRecords: (records: readonly LogRecord[]) => void;
  /** Records that are not stored may have been missed: an unknown number, of any topics that keep nothing. */
  readonly onMissed: () => void;
  /**
   * The tail continues at another place, without the records in between: the log has lost its newest records,
   * or the tail is too far behind. Live subscriptions MUST read the log from `from`.
   */
  readonly onBehind: (from: Position) => void;
}

/** The position of a reader, which has read everything up to this place in the log. */
export interface Position extends Offset {
  /**
   * Only for a single topic: the number of stored messages that the topic had had by then. With it, the log
   * counts dropped messages.
   */
  readonly ordinal?: number;
  /** Only for a pattern: the log's own change counter at that time. */
  readonly changes?: number;
  /**
   * The reader wants only the newest `count` messages of each topic, of those that are stored up to
   * `through`.
   */
  readonly newest?: { readonly count: number; readonly through: number };
}

/**
 * Selects the topics that the reader may read. Other topics that match a pattern do not exist for the reader.
 */
export type MayRead = (topic: Topic) => boolean;

/** The position at which reading starts. */
export interface Start {
  readonly position: Position;
  /** Only if the start was given as an offset: whether it is certain that no message after it is missing. */
  readonly recovered?: boolean;
  /** The number of stored messages after the start, as far as it is known. */
  readonly due: number;
}

/** The subscriber that {@link TopicLog.open} prepares for. */
export interface Opening {
  /** The readable topics of a pattern. Without it, all are. */
  readonly mayRead?: MayRead | undefined;
  /** The authenticated subject that the topic belongs to, if it is created. */
  readonly subject?: string | undefined;
}

/** A subscription can start; or its topic could not be created. */
export type Opened =
  (Start & { readonly creation: 'created' | 'existed' }) | { readonly creation: 'topics_exhausted' };

export interface PageLimit {
  readonly recordsMax: number;
  /** The size of the messages as JSON text. The first record of a page always fits. */
  readonly bytesMax: number;
}

export interface Page {
  /** In the order of the log. */
  readonly records: readonly LogRecord[];
  /** The position for the next page. */
  readonly position: Position;
  /** Whether the page reaches the head of the log. */
  readonly isAtHead: boolean;
  /**
   * The number of messages after the given position that were dropped before they were read, by retention or
   * with their topic. `unknown` if the log cannot count them. They were before the records of the page.
   */
  readonly dropped: number | 'unknown';
}

/** A page of a backward scan. */
export interface PageBefore {
  /** In the order of the log. */
  readonly records: readonly LogRecord[];
  /** Whether there are no stored messages before these. */
  readonly isAtStart: boolean;
}

/** Revoked tokens of a subject. Times are in milliseconds since 1970. */
export interface Revocation {
  readonly subject: string;
  /** Tokens that were issued at this time or earlier are revoked. */
  readonly time: number;
  /**
   * Tokens that were issued at these later times are revoked too: the issuer's clock was ahead, and the
   * tokens had been used.
   */
  readonly ahead: readonly number[];
}

/** Stores revocations. They survive a restart if the log does. */
export interface RevocationStore {
  /** All stored revocations. */
  readonly revocations: readonly Revocation[];
  /** The time by the clock; an earlier time while the clock is on trial. */
  readonly trustedTime: number;
  /**
   * Adds a revocation, or replaces that of its subject. It resolves and rejects like {@link TopicLog.append}.
   *
   * @param ended - subjects whose revocations are not needed any more
   */
  keepRevocation(revocation: Revocation, ended: readonly string[]): Promise<void>;
  /** Sets the only listener, which is called when other servers may have changed the revocations. */
  onRevocations(listener: (revocations: readonly Revocation[]) => void): void;
}

export type TopicCreation = 'created' | 'existed' | 'topics_exhausted';

export interface TopicState {
  readonly topic: Topic;
  /** The number of stored messages. */
  readonly messages: number;
  /** The place of the newest stored message; undefined if there never was one. */
  readonly last?: Offset;
  /**
   * The number of messages that were appended since the log was opened, stored or not; since the topic was
   * made, if several servers share the log.
   */
  readonly published: number;
  /**
   * The time of the newest message since the log was opened; else of the newest kept message, if any. In
   * milliseconds since 1970.
   */
  readonly lastTime?: number;
}

export interface TopicQuery {
  readonly prefix: string;
  /** Only topics after this one, in the order of their names (by UTF-16 code units). */
  readonly after?: string;
  readonly limit: number;
}

/** The contents and the size of the log. */
export interface LogUsage extends LogSize {
  readonly topics: number;
}

/**
 * Messages in the log are damaged and cannot be read. The message names the damage, but not what to do about
 * it.
 */
export class LogDamagedError extends Error {
  override readonly name = 'LogDamagedError';
}

/** The queue of appends is full. The same append can succeed later. */
export class LogBusyError extends Error {
  override readonly name = 'LogBusyError';

  constructor() {
    super(`Too many messages are waiting to be stored (limit: ${waitingMiB} MiB). Retry later.`);
  }
}

/** The log cannot be written, temporarily or until the next start. */
export class LogUnwritableError extends Error {
  override readonly name: string = 'LogUnwritableError';
  /** One sentence for clients. It has no paths. */
  readonly summary: string;

  constructor(
    message: string,
    summary = 'The server cannot write its log.',
    options?: { readonly cause?: unknown },
  ) {
    super(message, options);
    this.summary = summary;
  }
}

/** The log cannot be reached at the moment. Nothing was changed. The same call can succeed later. */
export class LogUnreachableError extends LogUnwritableError {
  override readonly name = 'LogUnreachableError';
}

/** It is unknown whether the log was changed. The same append with an id, or the same change, finds out. */
export class LogUncertainError extends LogUnwritableError {
  override readonly name = 'LogUncertainError';
}

/** The disk is full. Appending succeeds again once there is free space. */
export class LogFullError extends Error {
  override readonly name = 'LogFullError';
}

export class LogClosedError extends Error {
  override readonly name = 'LogClosedError';

  constructor() {
    super('The log is closed.');
  }
}

/**
 * The log that every message passes through, with one sequence for all topics. It knows which topics exist,
 * stores messages by their rules, and can be read from any position.
 *
 * - Calls take effect in their order, whatever they are.
 * - `append` MUST resolve to one outcome per record, in their order, after the records are stored at the
 *   level that `stored` of the outcome names. If the log cannot be written, `append` MUST reject and MUST NOT
 *   have appended anything. Reads still work then.
 * - If it is unknown whether the records are in the log, `append` MUST reject with {@link LogUncertainError}.
 *   So MUST `declareTopic`, `deleteTopic` and `keepRevocation` if it is unknown whether they took effect.
 * - The tail MUST get every appended record once, in the order of the log, and only after its commit. `head`
 *   is the sequence of the newest record that the tail was given, and `epoch` is the epoch of the log there.
 *   Both change before the tail gets the record.
 * - The log MUST NOT give a place, which is an epoch and a sequence, to a second message. A log that may have
 *   lost messages has a new epoch. A place in an earlier epoch is still valid up to the sequence where the
 *   two epochs part.
 * - `open`, `locate` and the last page of `read` MUST answer in the turn in which the tail is at their head.
 *   A reader that joins the tail in that turn misses nothing and gets nothing twice.
 * - Reads are independent: a slow one MUST NOT delay others. If the log cannot be reached, they reject with
 *   {@link LogUnreachableError}.
 * - An id counts per topic and subject, for at least the window that the log was created with. A second
 *   append with the same id and `messageJson` MUST resolve to a `duplicate` with the first one's sequence and
 *   time. Ids of stored messages survive a restart if the messages do.
 * - A wrong clock MUST NOT do lasting harm. For ages and windows, a timestamp in the future counts as the
 *   present at the latest. While a clock that has jumped forward is on trial, the log MUST NOT drop messages
 *   for their age by that clock.
 * - Reading MUST NOT skip a stored message, and MUST report (`dropped`, `recovered: false`) a message that is
 *   no longer stored. It MUST NOT return or skip damaged data: it rejects with {@link LogDamagedError}.
 * - A topic is an unused name while it is not declared, keeps no message, and `isInUse` (an option of the
 *   log) is false for it. When the limit of topics is reached, a new topic replaces the least recently used
 *   unused name. Subscribing, publishing, reading and {@link noteUse} are uses; keeping a message is one too.
 * - The number of unused names per subject is limited by an option of the log. The log forgets the oldest
 *   ones of a subject that has more, within a second. It forgets topics for no other reason.
 * - For readers, a forgotten topic counts as deleted. Its ids are remembered for their whole window.
 * - No call blocks the event loop for longer than one page or one commit takes.
 */
export interface TopicLog {
  /**
   * Identifies this log, and has no dot. Another log, or a log that lost records, has a different epoch. It
   * can change while the log is open.
   */
  readonly epoch: string;
  readonly head: number;
  /** The limit of topics. */
  readonly topicsMax: number;
  /**
   * The limit of records for one append, so that a commit does not block the event loop for long. It changes
   * with the measured cost.
   */
  readonly recordsMax: number;
  append(records: readonly NewRecord[]): Promise<readonly AppendOutcome[]>;
  /**
   * Appends one record, as {@link append} does, without promises: they take a thirtieth of the time of a
   * publish over HTTP. The listener is called once, perhaps before this returns.
   */
  appendOne(record: NewRecord, listener: OutcomeListener): void;
  /** Sets the only listener. A log has one tail; to share it, share the listener. */
  tail(listener: TailListener): void;
  /**
   * Prepares a subscription. Creates the topic if it does not exist, and finds the position at which reading
   * starts, as {@link locate} does. An append that is called later finds the topic; an append that was called
   * earlier MAY find it too. A crash MAY lose the topic while it has no messages.
   */
  open(interest: Interest, from: From, opening?: Opening): Promise<Opened>;
  /** Creates a topic if it does not exist, and keeps it. Resolves after it is stored at the log's level. */
  declareTopic(topic: Topic): Promise<TopicCreation>;
  /**
   * Notes that a topic is used now. MUST be called when the last subscriber of a topic or pattern has left.
   */
  noteUse(interest: Interest): void;
  /** Deletes a topic with its messages. Resolves to whether the topic existed. */
  deleteTopic(topic: Topic): Promise<boolean>;
  /** Returns topics in the order of their names. */
  topics(query: TopicQuery): Promise<readonly TopicState[]>;
  /** Resolves to undefined if the topic does not exist. */
  topicState(topic: Topic): Promise<TopicState | undefined>;
  usage(): Promise<LogUsage>;
  /**
   * Finds the position at which reading starts. The topic need not exist. A start from a time is the first
   * message with that timestamp or a later one. A timestamp in the future counts as the time at which the
   * clock was set right after it.
   */
  locate(interest: Interest, from: From, mayRead?: MayRead): Promise<Start>;
  /** Reads the messages after a position. */
  read(interest: Interest, position: Position, limit: PageLimit, mayRead?: MayRead): Promise<Page>;
  /** Reads backward: the newest messages of a topic before a place. The place of another log has none. */
  readBefore(topic: Topic, before: Offset, limit: PageLimit): Promise<PageBefore>;
  /** Resolves after all earlier appends are settled. All later calls reject. */
  close(): Promise<void>;
}
