import { isReservedTopic, type Form } from '@fanfare/protocol';
import type { LogRecord } from '../log/topic-log.ts';
import type { InterestEntry, SubscriptionIndex } from '../subscriptions/subscription-index.ts';
import { deliver, type DeliverParts } from './deliver.ts';

export interface BroadcastParts extends DeliverParts {
  readonly index: SubscriptionIndex;
}

/** What the log's tail does with the records of a commit: finds who is subscribed, and delivers. */
export class Broadcast {
  readonly #parts: BroadcastParts;
  #current: LogRecord | undefined;

  constructor(parts: BroadcastParts) {
    this.#parts = parts;
  }

  /** The record that is being delivered right now. */
  get current(): LogRecord | undefined {
    return this.#current;
  }

  send(records: readonly LogRecord[]): void {
    this.#parts.counters.publishes += records.length;
    for (const record of records) {
      this.#current = record;
      const entries = this.#parts.index.matching(record.topic);
      if (record.ordinal === 0) for (const entry of entries) entry.unstored++;
      if (!isReservedTopic(record.topic)) this.#deliver(record, entries, 'plain');
      this.#deliver(record, entries, 'envelope');
    }
    this.#current = undefined;
  }

  #deliver(record: LogRecord, entries: readonly InterestEntry[], form: Form): void {
    const audiences = [];
    for (const { live, audience } of entries) if (live[form] > 0) audiences.push(audience);
    if (audiences.length > 0) deliver(record, audiences, form, this.#parts);
  }
}
