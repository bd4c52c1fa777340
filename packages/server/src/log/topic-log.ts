import type { Stored, Topic } from '@fanfare/protocol';

/** A message on its way into the log. */
export interface NewRecord {
  readonly topic: Topic;
  /** The message as JSON text without insignificant white space. */
  readonly messageJson: string;
  /** When given, a second append of it to the same topic makes no second record. */
  readonly id?: string;
}

/** A message that the log has. */
export interface LogRecord extends NewRecord {
  /** Its place in the log; grows by one from record to record, over all topics. */
  readonly sequence: number;
  /** Milliseconds since 1970. Never goes back from one record to the next. */
  readonly time: number;
}

/** What became of one {@link NewRecord}. */
export type AppendOutcome =
  | {
      readonly kind: 'appended' | 'duplicate';
      readonly sequence: number;
      readonly time: number;
      readonly stored: Stored;
    }
  /** The id was used for another message. Nothing was appended. */
  | { readonly kind: 'id_conflict' }
  /** The log remembers as many ids as it may. Nothing was appended; the same append can succeed later. */
  | { readonly kind: 'ids_exhausted' };

/** Gets the records of one commit. MUST NOT throw: the records are in the log, whatever becomes of their delivery. */
export type TailListener = (records: readonly LogRecord[]) => void;

/**
 * The log that every message passes through: one sequence for all topics.
 *
 * - `append` MUST answer with one outcome for each record, in their order, and only once the log has them
 *   at the level that the outcome's `stored` names. Appends MUST take effect in the order of the calls.
 *   It MUST reject, and have appended nothing, when the log cannot be written.
 * - The tail MUST get every appended record once, in the order of their sequences, and no record before it
 *   is committed. Whether the tail or the outcome comes first is not promised.
 * - An id counts per topic for at least the window that the log was made with. A second append of it with
 *   the same `messageJson` MUST answer the first one's sequence and time as a `duplicate`.
 * - Nothing that one listener or one appender does delays another by more than one commit.
 */
export interface TopicLog {
  /** Names this log; another log, or one that lost records, has another epoch. Without a dot. */
  readonly epoch: string;
  /** The sequence of the newest committed record; 0 when there is none. */
  readonly head: number;
  append(records: readonly NewRecord[]): Promise<readonly AppendOutcome[]>;
  /** Sets the one listener. A log has one tail; whoever wants to share it does so behind the listener. */
  tail(listener: TailListener): void;
}
