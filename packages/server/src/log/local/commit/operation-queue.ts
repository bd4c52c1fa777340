import { fixedLimits } from '../../../limits/fixed-limits.ts';
import type { CommitPlan } from './commit-plan.ts';
import { LogBusyError } from '../../topic-log.ts';

/** An operation on the log that waits for its commit. */
export interface Operation {
  /** Plans the operation. @returns the function that gives the planned result after the commit */
  readonly plan: (plan: CommitPlan) => () => void;
  readonly fail: (error: unknown) => void;
  readonly records: number;
  readonly bytes: number;
}

/** An operation with its planned result. */
export interface Planned {
  readonly operation: Operation;
  readonly resolve: () => void;
}

/** An operation as it is submitted. Its functions `resolve` and `fail` MUST NOT throw. */
export interface Submitted<T> {
  /** Plans the operation. @returns its result, if the commit succeeds */
  readonly plan: (plan: CommitPlan) => T;
  readonly resolve: (result: T) => void;
  readonly fail: (error: unknown) => void;
  readonly records?: number;
  /** The size of its messages. */
  readonly bytes?: number;
}

/**
 * The limit of one commit, unless one operation is larger, so that no commit blocks the event loop for long.
 */
const bytesPerCommitMax = 4_194_304;

const { value: pendingBytesMax } = fixedLimits.storesWaitingBytesMax;

/** The approximate overhead of an operation, and of each of its records. */
const operationBytes = 256;

/** The weight of an operation, in records. An operation without records costs something too. */
export function weightOf({ records }: Operation): number {
  return Math.max(1, records);
}

export function planOperation(operation: Operation, plan: CommitPlan): Planned {
  return { operation, resolve: operation.plan(plan) };
}

/** The operations that wait for a commit, in their order. */
export class OperationQueue {
  #waiting: Operation[] = [];
  #bytes = 0;

  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  get count(): number {
    return this.#waiting.length;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Adds an operation. It fails at once with a LogBusyError if the queue is full. */
  add<T>({ plan, resolve, fail, records = 0, bytes: messageBytes = 0 }: Submitted<T>): void {
    const bytes = messageBytes + (records + 1) * operationBytes;
    if (this.#bytes + bytes > pendingBytesMax && !this.isEmpty) return fail(new LogBusyError());
    this.#bytes += bytes;
    const settling = (commit: CommitPlan): (() => void) => {
      const result = plan(commit);
      return () => resolve(result);
    };
    this.#waiting.push({ plan: settling, fail, records, bytes });
  }

  /**
   * Takes the operations for one commit.
   *
   * @param recordsMax - the limit, unless one operation has more
   */
  take(recordsMax: number): readonly Operation[] {
    let records = 0;
    let bytes = 0;
    let count = 0;
    for (const operation of this.#waiting) {
      if (records >= recordsMax || bytes >= bytesPerCommitMax) break;
      records += weightOf(operation);
      bytes += operation.bytes;
      count++;
    }
    this.#bytes -= bytes;
    const taken = this.#waiting.slice(0, count);
    this.#waiting = this.#waiting.slice(count);
    return taken;
  }
}
