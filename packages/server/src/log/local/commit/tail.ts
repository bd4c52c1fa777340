import type { Invariants } from '../../../observability/invariants.ts';
import type { LogRecord, TailListener } from '../../topic-log.ts';
import { areInOrder } from '../record-order.ts';

/** The end of the log: committed records go to the one listener. */
export class Tail {
  readonly #invariants: Invariants;
  #listener: TailListener | undefined;
  /** The sequence of the newest delivered record. */
  #last: number;

  /** @param head - of the log */
  constructor(invariants: Invariants, head: number) {
    this.#last = head;
    this.#invariants = invariants;
  }

  listen(listener: TailListener): void {
    this.#listener = listener;
  }

  /**
   * Delivers records even if they are out of order: they are committed, and subscribers must not lose them.
   */
  deliver(records: readonly LogRecord[]): void {
    const last = records.at(-1);
    if (!last) return;
    const details = { last: this.#last, first: records[0]?.sequence, records: records.length };
    this.#invariants.check(areInOrder(records, this.#last), 'tail_order', details);
    this.#last = Math.max(this.#last, last.sequence);
    this.#listener?.onRecords(records);
  }
}
