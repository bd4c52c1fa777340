import {
  LogUncertainError,
  LogUnreachableError,
  type AppendOutcome,
  type LogUnwritableError,
  type NewRecord,
} from '../topic-log.ts';
import { UnknownReplyError } from './redis-errors.ts';

/** An append that has no answer yet. */
export interface WaitingAppend {
  readonly records: readonly NewRecord[];
  /** The size of the messages as JSON text. */
  readonly bytes: number;
  /** By the monotonic clock, in milliseconds: then it rejects. */
  readonly endsAt: number;
  readonly resolve: (outcomes: readonly AppendOutcome[]) => void;
  readonly reject: (error: unknown) => void;
}

const unreachable = 'The server cannot reach its log.';
const uncertain = 'The log did not answer in time: the message may have been published.';

/** Appends that are sent to Redis together, under one number. Redis carries out all of them or none. */
export class AppendBatch {
  readonly number: number;
  readonly records: readonly NewRecord[];
  /** By the monotonic clock, in milliseconds: the time of its oldest append. */
  readonly endsAt: number;
  /** Whether it was sent on the present connection. */
  isInFlight = false;
  readonly #appends: readonly WaitingAppend[];
  /** The number of times that it was sent. */
  #attempts = 0;
  /** The number of these attempts that Redis may have carried out, or may still carry out. */
  #unknown = 0;
  #isSettled = false;

  /** @param appends - at least one */
  constructor(number: number, appends: readonly WaitingAppend[]) {
    this.number = number;
    this.records = appends.flatMap(({ records }) => records);
    this.endsAt = Math.min(...appends.map(({ endsAt }) => endsAt));
    this.#appends = appends;
  }

  /** Notes that it is sent. @returns the number of the attempt */
  begin(): number {
    this.isInFlight = true;
    this.#unknown++;
    return ++this.#attempts;
  }

  /** Whether an attempt is the last one, and its answer is still wanted. */
  isOf(attempt: number): boolean {
    return attempt === this.#attempts && !this.#isSettled;
  }

  /** Notes that Redis did not carry out the last attempt, and will not. */
  wasRefused(): void {
    this.#unknown--;
  }

  resolve(outcomes: readonly AppendOutcome[]): void {
    this.#isSettled = true;
    let at = 0;
    for (const { records, resolve } of this.#appends) {
      resolve(outcomes.slice(at, at + records.length));
      at += records.length;
    }
  }

  reject(error: unknown): void {
    this.#isSettled = true;
    for (const { reject } of this.#appends) reject(error);
  }

  timeoutError(): LogUnwritableError {
    return this.#unknown === 0
      ? new LogUnreachableError('Redis was not reached in time.', unreachable)
      : new LogUncertainError('Redis did not answer in time.', uncertain);
  }

  /**
   * The error after Redis has answered with an error. If an answer to an earlier attempt was lost, the batch
   * may have been carried out then.
   */
  failure(error: unknown): unknown {
    if (!(error instanceof UnknownReplyError || error instanceof LogUncertainError)) this.wasRefused();
    if (this.#unknown === 0 || error instanceof LogUncertainError) return error;
    const { message } = error as Error;
    return new LogUncertainError(message, uncertain, { cause: error });
  }

  /**
   * The error after Redis has answered that it does not carry out the batch, because its time is over
   * (`late`) or because it has carried out a later one (`superseded`).
   *
   * Redis remembers the results of the last batches, and looks there first. So with this answer, the log has
   * no result of the batch. If the batch was sent once, it did not happen, and will not. If it was sent
   * before and that answer was lost, it may have been carried out by a Redis that has failed since and whose
   * newest messages are lost: subscribers may have got them then. Or Redis has forgotten the result. Then
   * nobody knows.
   */
  refusal(kind: 'late' | 'superseded'): LogUnwritableError {
    this.wasRefused();
    const message = kind === 'late' ? 'Redis got the batch too late.' : 'Redis has a later batch already.';
    return this.#unknown === 0
      ? new LogUnreachableError(message, unreachable)
      : new LogUncertainError(message, uncertain);
  }
}
