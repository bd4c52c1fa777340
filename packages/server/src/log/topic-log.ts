import type { From, Interest, Stored, Topic } from '@fanfare/protocol';

/** A message on its way into the log. */
export interface NewRecord {
  readonly topic: Topic;
  /** The message as JSON text without insignificant white space. */
  readonly messageJson: string;
  /** When given, a second append of it by the same subject to the same topic makes no second record. */
  readonly id?: string;
  /** The authenticated subject that has published it, where the topic's rule tells. */
  readonly publisher?: string;
  /** The authenticated subject that publishes it, which its id and a topic that is made for it belong to. */
  readonly subject?: string;
  /** Whether the topic is made, asked where it does not exist; else only its rule can have it made. */
  readonly createsTopic?: (topic: Topic) => boolean;
}

/** A message that the log has, or that passed through its tail. */
export interface LogRecord extends NewRecord {
  /**
   * Its place in the log: grows from record to record, over all topics. A record that is not stored has the
   * place of the newest stored one before it.
   */
  readonly sequence: number;
  /** Which of its topic's stored messages it is, from 1 on without holes; 0 when it is not stored. */
  readonly ordinal: number;
  /**
   * What the clock showed, in milliseconds since 1970. It goes back from one record to the next only where the clock was set
   * back by more than a minute: the order is that of `sequence`.
   */
  readonly time: number;
}

/** What became of one {@link NewRecord}. All but the first two: nothing was appended. */
export type AppendOutcome =
  | {
      readonly kind: 'appended' | 'duplicate';
      readonly sequence: number;
      readonly time: number;
      readonly stored: Stored;
    }
  /** The topic does not exist, and this append does not create it. */
  | { readonly kind: 'topic_not_found' }
  /** The topic would be one too many, and no other topic is an unused name. */
  | { readonly kind: 'topics_exhausted' }
  /** The message is larger than the topic's rule allows. */
  | { readonly kind: 'message_too_large'; readonly bytesMax: number }
  /** The id was used for another message. */
  | { readonly kind: 'id_conflict' }
  /** The log remembers as many ids as it may; the same append can succeed later. */
  | { readonly kind: 'ids_exhausted' };

/** Gets the records of one commit. MUST NOT throw: the records are in the log, whatever becomes of their delivery. */
export type TailListener = (records: readonly LogRecord[]) => void;

/** Where a reader is: it has had everything up to a place in the log. */
export interface Position {
  readonly sequence: number;
  /** Of a single topic: how many stored messages it had had up to there. Lets the log count what is gone. */
  readonly ordinal?: number;
  /** Of a pattern: the log's own note of what had gone by then. */
  readonly changes?: number;
  /** Of what is stored up to `through`, only the newest so many messages of each topic are wanted. */
  readonly newest?: { readonly count: number; readonly through: number };
}

/** Lets through, of what a pattern stands for, the topics that may be read: to the reader there are no others. */
export type MayRead = (topic: Topic) => boolean;

/** Where reading starts. */
export interface Start {
  readonly position: Position;
  /** There when the start was given as an offset: whether nothing after it is missing, as far as can be proved. */
  readonly recovered?: boolean;
  /** How many stored messages come first, as far as known. */
  readonly due: number;
}

export interface PageLimit {
  readonly recordsMax: number;
  /** Of the messages as JSON text. The page's first record always fits. */
  readonly bytesMax: number;
}

export interface Page {
  /** In the order of the log. */
  readonly records: readonly LogRecord[];
  /** From where to go on. */
  readonly position: Position;
  /** Whether everything that the log had was read, so that `position` is its head. */
  readonly isAtHead: boolean;
  /**
   * Whether messages after the position given were dropped by retention or with their topic before they were
   * read: how many, or `unknown`. 0 when none were. They come before the page's records.
   */
  readonly dropped: number | 'unknown';
}

/** What comes before a place in the log. */
export interface PageBefore {
  /** In the order of the log. */
  readonly records: readonly LogRecord[];
  /** Whether nothing that is kept comes before these. */
  readonly isAtStart: boolean;
}

/** Tokens of a subject that count no more. Times are in milliseconds since 1970. */
export interface Revocation {
  readonly subject: string;
  /** Those that were issued up to then. */
  readonly time: number;
  /** Those that were issued at these times, which are later: their clock was ahead, and they had been seen before. */
  readonly ahead: readonly number[];
}

/** Keeps revocations, where the log is kept over a restart. */
export interface RevocationStore {
  readonly revocations: readonly Revocation[];
  /** What the clock shows; while it may be wrong, an earlier time. */
  readonly trustedTime: number;
  /** Puts all revocations in the place of those before. It resolves and rejects like {@link TopicLog.append}. */
  keepRevocations(revocations: readonly Revocation[]): Promise<void>;
}

export type TopicCreation = 'created' | 'existed' | 'topics_exhausted';

export interface TopicState {
  readonly topic: Topic;
  /** How many messages are kept. */
  readonly messages: number;
  /** The place of its newest stored message; undefined when it never had one. */
  readonly lastSequence?: number;
  /** How many messages were appended to it since the log was opened, stored or not. */
  readonly published: number;
  /** Of the newest of these; else of the newest message that is kept, if any is. In milliseconds since 1970. */
  readonly lastTime?: number;
}

export interface TopicQuery {
  readonly prefix: string;
  /** Only topics that come after this one in the order of their names (by UTF-16 code units). */
  readonly after?: string;
  readonly limit: number;
}

/** How much a log has, and what that takes. */
export interface LogUsage {
  readonly topics: number;
  /** Where it keeps messages. */
  readonly kind: 'disk' | 'memory';
  readonly bytes: number;
  /** What it may take at the most, where it has a limit of its own. */
  readonly bytesMax?: number;
}

/** Messages that are in the log cannot be read: they are damaged. The message says what is, not what to do. */
export class LogDamagedError extends Error {
  override readonly name = 'LogDamagedError';
}

/** More waits to be stored than the log may hold in memory. The same can succeed later. */
export class LogBusyError extends Error {
  override readonly name = 'LogBusyError';

  constructor() {
    super('More is waiting to be stored than the disk can take.');
  }
}

/** The log cannot be written, for the moment or any more. */
export class LogUnwritableError extends Error {
  override readonly name: string = 'LogUnwritableError';
  /** One sentence for clients, without paths. */
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

/** Nobody can tell whether what was to be appended is in the log. */
export class LogUncertainError extends LogUnwritableError {
  override readonly name = 'LogUncertainError';
}

/** There is no space left to store anything. Once there is, appending succeeds again. */
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
 * The log that every message passes through: one sequence for all topics. It knows which topics there are, keeps
 * of each what its rule says, and can be read from any position.
 *
 * - What is called takes effect in the order of the calls, whatever it is.
 * - `append` MUST answer with one outcome for each record, in their order, and only once the log has them
 *   at the level that the outcome's `stored` names. It MUST reject, and have appended nothing, when the log cannot
 *   be written; reading goes on then.
 * - The tail MUST get every appended record once, in the order of the log, and no record before it is
 *   committed. `head` is the place of the newest record that the tail was given, and moves before it is.
 * - A place in the log is never given to another message, whatever happens: a log that lost messages has another epoch.
 * - An id counts per topic and subject for at least the window that the log was made with. A second append of it with
 *   the same `messageJson` MUST answer the first one's sequence and time as a `duplicate`. Ids of stored messages
 *   outlive a restart where the messages do.
 * - A clock that is wrong MUST NOT do lasting harm. What is stamped in the future counts as stamped now at the latest, for
 *   ages and windows. While a clock that has jumped forward may be wrong, no message MUST be dropped for its age by it.
 * - Reading MUST NOT skip a message that is kept, and MUST say so (`dropped`, `recovered: false`) when one is not
 *   kept any more. What is damaged MUST NOT be returned or skipped: reading rejects with {@link LogDamagedError}.
 * - A topic is an unused name while it is not declared, keeps no message, and `isInUse`, which the log was made with,
 *   is false for it. When there are as many topics as may be, a new topic takes the place of the unused name whose last
 *   use was longest ago. Subscribing, publishing, reading and {@link noteUse} are uses; so is keeping a message.
 * - A subject holds at most as many unused names as the log was made with. The log forgets its oldest ones within a
 *   second when it has more, and forgets no topic for any other reason.
 * - A forgotten topic counts as deleted for readers. Its ids are remembered for their whole window.
 * - Nothing holds up the event loop for longer than a page or a commit takes, whatever is asked for.
 */
export interface TopicLog {
  /** Names this log; another log, or one that lost records, has another epoch. Without a dot. */
  readonly epoch: string;
  readonly head: number;
  /** How many topics there may be. */
  readonly topicsMax: number;
  /** How many records are to be appended at once, at the most, so that nobody is held up for long. Changes with what they cost. */
  readonly recordsMax: number;
  append(records: readonly NewRecord[]): Promise<readonly AppendOutcome[]>;
  /** Sets the one listener. A log has one tail; whoever wants to share it does so behind the listener. */
  tail(listener: TailListener): void;
  /**
   * Makes a topic exist. An append that is called after this one's call finds it (one before MAY as well).
   *
   * @param isDeclared - answer only once the topic is there at the level at which the log stores; else it MAY be
   * forgotten in a crash, as long as it has no messages
   * @param subject - the authenticated subject that the topic belongs to, if it is made
   */
  createTopic(topic: Topic, isDeclared: boolean, subject?: string): Promise<TopicCreation>;
  /** A topic is used just now. MUST be called when the last subscriber of a topic has left (`isInUse`). */
  noteUse(topic: Topic): void;
  /** Deletes a topic with its messages. Resolves to whether it existed. */
  deleteTopic(topic: Topic): Promise<boolean>;
  /** Topics in the order of their names. */
  topics(query: TopicQuery): Promise<readonly TopicState[]>;
  /** Undefined when the topic does not exist. */
  topicState(topic: Topic): Promise<TopicState | undefined>;
  usage(): Promise<LogUsage>;
  /**
   * Finds where to start. Nobody need be subscribed, and the topic need not exist. A start from a time is the first message
   * that was stamped then or later; one from the future counts as stamped when the clock was set right after it.
   */
  locate(interest: Interest, from: From, mayRead?: MayRead): Promise<Start>;
  /** Reads what comes after a position. */
  read(interest: Interest, position: Position, limit: PageLimit, mayRead?: MayRead): Promise<Page>;
  /** Reads the newest messages of a topic whose places in the log come before one. */
  readBefore(topic: Topic, sequence: number, limit: PageLimit): Promise<PageBefore>;
  /** Resolves once all that was appended before is answered. Everything after it rejects. */
  close(): Promise<void>;
}
