import { FanfareError, formatOffset, type PublishResult } from '@fanfare/protocol';
import {
  LogBusyError,
  LogClosedError,
  type AppendOutcome,
  type NewRecord,
  type TopicLog,
  LogFullError,
} from '../log/topic-log.ts';
import { tooLarge } from './admit.ts';

/**
 * Appends admitted messages, all in one go. What this returns is their acknowledgement; there is no other way to one.
 *
 * @returns for each its result, or why it was not appended: `topic_not_found`, `id_conflict`, `limit_exceeded`,
 * `payload_too_large`
 * @throws FanfareError `storage_unavailable`, `draining`; nothing was appended then
 */
export async function append(
  log: TopicLog,
  records: readonly NewRecord[],
): Promise<readonly (PublishResult | FanfareError)[]> {
  const outcomes = await appendAll(log, records);
  return records.map((record, at) => {
    const outcome = outcomes[at];
    if (!outcome) throw new Error('the log gave no outcome');
    return resultOf(record, outcome, log.epoch);
  });
}

async function appendAll(log: TopicLog, records: readonly NewRecord[]): Promise<readonly AppendOutcome[]> {
  try {
    return await log.append(records);
  } catch (cause) {
    throw storageRefusal(cause);
  }
}

function resultOf(record: NewRecord, outcome: AppendOutcome, epoch: string): PublishResult | FanfareError {
  switch (outcome.kind) {
    case 'topic_not_found':
      return new FanfareError('topic_not_found', `Topic '${record.topic}' does not exist`);
    case 'topics_exhausted':
      return topicsExhausted();
    case 'message_too_large':
      return tooLarge(outcome.bytesMax);
    case 'id_conflict':
      return new FanfareError(
        'id_conflict',
        `The id '${record.id}' was used for another message to '${record.topic}'.`,
      );
    case 'ids_exhausted':
      return new FanfareError(
        'limit_exceeded',
        'The server remembers as many ids as it may. Try again later, or without id.',
      );
    case 'appended':
    case 'duplicate':
      return acknowledgement(record, outcome, epoch);
  }
}

function acknowledgement(
  { topic, id }: NewRecord,
  { kind, sequence, time, stored }: Extract<AppendOutcome, { readonly time: number }>,
  epoch: string,
): PublishResult {
  return {
    ok: true,
    topic,
    ...(stored !== 'none' && { offset: formatOffset({ epoch, sequence }) }),
    time,
    ...(id !== undefined && { id }),
    ...(kind === 'duplicate' && { duplicate: true }),
    stored,
  };
}

export function topicsExhausted(): FanfareError {
  return new FanfareError('limit_exceeded', 'The server has as many topics as it may.');
}

/** What a client is told when the log did not take something. */
export function storageRefusal(cause: unknown): FanfareError {
  if (cause instanceof LogClosedError) return new FanfareError('draining', 'The server is shutting down.');
  if (cause instanceof LogBusyError) {
    const detail = 'More is waiting to be stored than the disk can take. Try again later.';
    return new FanfareError('storage_unavailable', detail);
  }
  if (cause instanceof LogFullError) {
    return new FanfareError('storage_unavailable', 'There is no space left to store anything.', {
      status: 507,
      cause,
    });
  }
  return new FanfareError('storage_unavailable', 'It could not be stored.', { cause });
}
