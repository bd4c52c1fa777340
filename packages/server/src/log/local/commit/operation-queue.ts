import { fixedLimits } from '../../../limits/fixed-limits.ts';
import type { CommitPlan } from './commit-plan.ts';
import { LogBusyError } from '../../topic-log.ts';

/** Something that was asked of the log, and waits for its commit. */
export interface Operation {
  /** Plans it. @returns what answers it, once the commit has succeeded */
  readonly plan: (plan: CommitPlan) => () => void;
  readonly fail: (error: unknown) => void;
  readonly records: number;
  readonly bytes: number;
}

/** One commit takes no more than this, unless it is asked for at once, so that it holds up nobody for long. */
const bytesPerCommitMax = 4_194_304;

const { value: pendingBytesMax } = fixedLimits.storesWaitingBytesMax;

/** What an operation takes beside its messages, and each of its records, roughly. */
const operationBytes = 256;

/** What an operation counts as, in records: one that asks for nothing to be appended costs something, too. */
export function weightOf({ records }: Operation): number {
  return Math.max(1, records);
}

/** What waits for its commit, in the order in which it was asked for. */
export class OperationQueue {
  #waiting: Operation[] = [];
  #bytes = 0;

  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  get count(): number {
    return this.#waiting.length;
  }

  /** Rejects with a LogBusyError when too much waits already. */
  add<T>(plan: (plan: CommitPlan) => T, records: number, messageBytes: number): Promise<T> {
    const bytes = messageBytes + (records + 1) * operationBytes;
    if (this.#bytes + bytes > pendingBytesMax && !this.isEmpty) return Promise.reject(new LogBusyError());
    this.#bytes += bytes;
    return new Promise((resolve, fail) => {
      const answering = (commit: CommitPlan): (() => void) => {
        const answer = plan(commit);
        return () => resolve(answer);
      };
      this.#waiting.push({ plan: answering, fail, records, bytes });
    });
  }

  /**
   * As much as one commit takes.
   *
   * @param recordsMax - at the most, unless more are asked for at once
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
