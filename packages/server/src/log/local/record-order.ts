import type { LogRecord } from '../topic-log.ts';

/**
 * Whether records follow a sequence, and one another. A stored record has a higher sequence than the
 * record before it. A record that is not stored has the sequence of the stored record before it.
 */
export function areInOrder(records: readonly LogRecord[], after: number): boolean {
  let last = after;
  for (const { sequence, ordinal } of records) {
    if (ordinal === 0 ? sequence < last : sequence <= last) return false;
    last = sequence;
  }
  return true;
}
