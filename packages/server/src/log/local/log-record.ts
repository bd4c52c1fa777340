import type { Topic } from '@fanfare/protocol';
import type { ChunkRecord } from '../store/store.ts';
import type { LogRecord } from '../topic-log.ts';

/** Converts a stored record into a record for readers. */
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
