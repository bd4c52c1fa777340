import { LogDamagedError } from '../topic-log.ts';

/** Messages that the log must have are not in the store. */
export function missingMessages(topic: string): LogDamagedError {
  return new LogDamagedError(`Messages of the topic '${topic}' are missing in the log.`);
}
