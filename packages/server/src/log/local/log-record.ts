import type { Topic } from '@fanfare/protocol';
import type { ChunkRecord } from '../store/store.ts';
import type { LogRecord } from '../topic-log.ts';

/** What the log gives out of what the store has. */
export function logRecord(
  { sequence, messageJson, id, publisher }: ChunkRecord,
  topic: Topic,
  ordinal: number,
  time: number,
): LogRecord {
  if (publisher !== undefined)
    return { topic, messageJson, ...(id !== undefined && { id }), publisher, sequence, ordinal, time };
  return id === undefined
    ? { topic, messageJson, sequence, ordinal, time }
    : { topic, messageJson, id, sequence, ordinal, time };
}
