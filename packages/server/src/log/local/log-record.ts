import type { Topic } from '@fanfare/protocol';
import type { ChunkRecord } from '../store/store.ts';
import type { LogRecord } from '../topic-log.ts';

/** Converts a stored record into a record for readers. */
export function logRecord(
  { sequence, messageJson, id, publisher }: ChunkRecord,
  epoch: string,
  topic: Topic,
  ordinal: number,
  time: number,
): LogRecord {
  if (publisher !== undefined)
    return { topic, messageJson, ...(id !== undefined && { id }), publisher, epoch, sequence, ordinal, time };
  return id === undefined
    ? { topic, messageJson, epoch, sequence, ordinal, time }
    : { topic, messageJson, id, epoch, sequence, ordinal, time };
}
