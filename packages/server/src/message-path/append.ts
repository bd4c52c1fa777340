import { FanfareError, type PublishResult } from '@fanfare/protocol';
import type { AppendOutcome, NewRecord, TopicLog } from '../log/topic-log.ts';

/**
 * Appends one admitted message. What this returns is the acknowledgement; there is no other way to one.
 *
 * @throws FanfareError `id_conflict`, `limit_exceeded`, `storage_unavailable`; nothing was appended then
 */
export async function append(log: TopicLog, record: NewRecord): Promise<PublishResult> {
  const outcome = await appendOne(log, record);
  if (outcome.kind === 'id_conflict') {
    throw new FanfareError(
      'id_conflict',
      `The id '${record.id}' was used for another message to '${record.topic}'.`,
    );
  }
  if (outcome.kind === 'ids_exhausted') {
    throw new FanfareError(
      'limit_exceeded',
      'The server remembers as many ids as it may. Try again later, or without id.',
    );
  }
  return {
    ok: true,
    topic: record.topic,
    ...(outcome.stored !== 'none' && { offset: `${log.epoch}.${outcome.sequence}` }),
    time: outcome.time,
    ...(record.id !== undefined && { id: record.id }),
    ...(outcome.kind === 'duplicate' && { duplicate: true }),
    stored: outcome.stored,
  };
}

async function appendOne(log: TopicLog, record: NewRecord): Promise<AppendOutcome> {
  try {
    const [outcome] = await log.append([record]);
    if (!outcome) throw new Error('the log gave no outcome');
    return outcome;
  } catch (cause) {
    throw new FanfareError('storage_unavailable', 'The message could not be stored.', { cause });
  }
}
