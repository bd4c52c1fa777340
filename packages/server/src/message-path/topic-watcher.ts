import type { Interest, Topic, WebhookStats } from '@fanfare/protocol';
import type { LogRecord } from '../log/topic-log.ts';

/** Learns what happens to topics, at once. Its functions MUST NOT throw, and MUST NOT take long. */
export interface TopicWatcher {
  /** The log has committed records. */
  onRecords(records: readonly LogRecord[]): void;
  /** @param change - 1 for a subscription that begins, -1 for one that ends */
  onSubscription(interest: Interest, change: 1 | -1): void;
  /** A topic was deleted with its messages. */
  onDeleted(topic: Topic): void;
  readonly stats: readonly WebhookStats[];
}
