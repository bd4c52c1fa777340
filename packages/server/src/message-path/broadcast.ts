import { isReservedTopic, type Form } from '@fanfare/protocol';
import type { LogRecord } from '../log/topic-log.ts';
import type { SubscriptionIndex } from '../subscriptions/subscription-index.ts';
import type { Counters } from './counters.ts';
import type { FanOut } from './fan-out.ts';
import { encodeLive, type Audience } from './peer-events.ts';

export interface BroadcasterParts {
  readonly index: SubscriptionIndex;
  readonly fanOuts: readonly FanOut[];
  readonly counters: Counters;
}

/** Takes the records of each commit from the log's tail, and sends them to their live subscribers. */
export class Broadcaster {
  readonly #parts: BroadcasterParts;

  constructor(parts: BroadcasterParts) {
    this.#parts = parts;
  }

  broadcast(records: readonly LogRecord[]): void {
    const { index } = this.#parts;
    for (const record of records) {
      const audiences = index.matching(record.topic);
      if (audiences.length === 0) continue;
      if (record.ordinal === 0) for (const audience of audiences) audience.unstored++;
      if (!isReservedTopic(record.topic)) this.#broadcastOne(record, audiences, 'plain');
      this.#broadcastOne(record, audiences, 'envelope');
    }
  }

  /** Encodes the record once for all live subscribers of a form. */
  #broadcastOne(record: LogRecord, matching: readonly Audience[], form: Form): void {
    const audiences = matching.filter(({ live }) => live[form] > 0);
    if (audiences.length === 0) return;
    const { fanOuts, counters } = this.#parts;
    const event = encodeLive(record, form, audiences);
    for (const fanOut of fanOuts) {
      // The fan-out may change the counter itself meanwhile: an open poll takes its deliveries at once.
      const sent = fanOut.broadcast(event);
      counters.deliveries += sent;
    }
  }
}
