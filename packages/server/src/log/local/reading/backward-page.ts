import type { Offset, Topic } from '@fanfare/protocol';
import type { LogRecord, PageBefore, PageLimit } from '../../topic-log.ts';
import { missingMessages } from '../missing-messages.ts';
import { logRecord } from '../log-record.ts';
import type { LogView } from './log-view.ts';
import { isPageFull } from './page-limit.ts';
import { ordinalAt } from './topic-positions.ts';

/**
 * Reads the newest messages of a topic before a place, chunk by chunk (backward scan).
 *
 * @throws LogDamagedError
 */
export function readTopicBefore(
  { store, topics, state }: LogView,
  topic: Topic,
  before: Offset,
  limit: PageLimit,
): PageBefore {
  const entry = topics.get(topic);
  const { epoch, head } = state();
  const last = before.epoch === epoch ? Math.min(before.sequence - 1, head) : 0;
  const records: LogRecord[] = [];
  const page = (isAtStart: boolean): PageBefore => ({ records: records.toReversed(), isAtStart });
  if (!entry || last < 1) return page(true);
  let ordinal = ordinalAt(store, entry, last);
  let bytes = 0;
  for (let block = last; ordinal > entry.trimmed;) {
    const chunk = store.chunkBefore(entry.number, block);
    if (!chunk) throw missingMessages(topic);
    // All records of the first chunk may come after the position.
    for (let at = ordinal - chunk.ordinal; at >= 0 && ordinal > entry.trimmed; at--) {
      const record = chunk.records[at];
      if (!record) throw missingMessages(topic);
      bytes += Buffer.byteLength(record.messageJson);
      if (isPageFull(records.length, bytes, limit)) return page(false);
      records.push(logRecord(record, epoch, topic, ordinal--, chunk.time));
    }
    block = chunk.block - 1;
  }
  return page(true);
}
