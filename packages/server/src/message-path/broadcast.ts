import type { LogRecord } from '../log/topic-log.ts';
import type { SubscriptionIndex } from '../subscriptions/subscription-index.ts';
import { deliver, type FanOut } from './deliver.ts';

/** What the log's tail does with the records of a commit: finds who is subscribed, and delivers. */
export function broadcast(records: readonly LogRecord[], index: SubscriptionIndex, fanOut: FanOut): void {
  for (const record of records) {
    const subscribers = index.countMessage(record.topic);
    if (!subscribers) continue;
    if (subscribers.plain > 0) deliver(record, 'plain', fanOut);
    if (subscribers.envelope > 0) deliver(record, 'envelope', fanOut);
  }
}
