import { FanfareError, formatOffset, type PublishResult } from '@fanfare/protocol';
import { fixedLimits } from '../limits/fixed-limits.ts';
import type { Appended, AppendOutcome, NewRecord, TopicLog } from '../log/topic-log.ts';
import type { Counters } from './counters.ts';
import { refusePublish, storageRefusal, tooLarge, topicNotFound, topicsExhausted } from './refusals.ts';

const { value: idsMax } = fixedLimits.idsMax;

/**
 * Appends admitted messages, all in one call. Only its results are acknowledgements.
 *
 * @returns the result of each message, or its refusal: `topic_not_found`, `id_conflict`, `limit_exceeded`,
 *   `payload_too_large`
 * @throws FanfareError `storage_unavailable` or `draining` if nothing was appended; `outcome_unknown`
 */
export async function append(
  log: TopicLog,
  counters: Counters,
  records: readonly NewRecord[],
): Promise<readonly (PublishResult | FanfareError)[]> {
  const outcomes = await log.append(records).catch(refusePublish);
  return records.map((record, at) => {
    const outcome = outcomes[at];
    if (!outcome) throw new Error('the log gave no outcome');
    note(counters, record, outcome);
    return resultOf(record, outcome, log);
  });
}

/** Receives the result of a publish. Its functions MUST NOT throw. */
export interface PublishListener {
  readonly onResult: (result: PublishResult) => void;
  /** Usually a FanfareError. */
  readonly onFailure: (error: unknown) => void;
}

/** Appends one admitted message, as {@link append} does. */
export function appendOne(
  log: TopicLog,
  counters: Counters,
  record: NewRecord,
  { onResult, onFailure }: PublishListener,
): void {
  log.appendOne(record, {
    onOutcome: (outcome) => {
      note(counters, record, outcome);
      const result = resultOf(record, outcome, log);
      if (result instanceof FanfareError) onFailure(result);
      else onResult(result);
    },
    onFailure: (cause) => onFailure(storageRefusal(cause, 'publish')),
  });
}

function note(counters: Counters, { topic }: NewRecord, { kind }: AppendOutcome): void {
  if (kind === 'appended') counters.published(topic);
  else if (kind === 'duplicate') counters.duplicates++;
}

function resultOf(record: NewRecord, outcome: AppendOutcome, log: TopicLog): PublishResult | FanfareError {
  switch (outcome.kind) {
    case 'topic_not_found':
      return topicNotFound(record.topic);
    case 'topics_exhausted':
      return topicsExhausted(log);
    case 'message_too_large':
      return tooLarge(outcome.bytesMax);
    case 'id_conflict':
      return new FanfareError(
        'id_conflict',
        `The id '${record.id}' was already used for another message to '${record.topic}'.`,
      );
    case 'ids_exhausted':
      return new FanfareError(
        'limit_exceeded',
        `The idempotency table is full (limit: ${idsMax} ids): retry later, or publish without \`id\`.`,
      );
    case 'appended':
    case 'duplicate':
      return acknowledgement(record, outcome);
  }
}

function acknowledgement({ topic, id }: NewRecord, outcome: Appended): PublishResult {
  const { kind, time, stored } = outcome;
  // The members are in the order in which they are encoded.
  const result: { -readonly [Name in keyof PublishResult]?: PublishResult[Name] } = { ok: true, topic };
  if (stored !== 'none') result.offset = formatOffset(outcome);
  result.time = time;
  if (id !== undefined) result.id = id;
  if (kind === 'duplicate') result.duplicate = true;
  result.stored = stored;
  return result as PublishResult;
}
