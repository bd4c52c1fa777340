import { setImmediate as nextTurn } from 'node:timers/promises';
import { FanfareError, formatOffset, type PublishResult } from '@fanfare/protocol';
import type { AppendOutcome, NewRecord, TopicLog } from '../log/topic-log.ts';
import { storageRefusal, tooLarge, topicNotFound, topicsExhausted } from './refusals.ts';

/**
 * Appends admitted messages, all in one go. What this returns is their acknowledgement; there is no other way to one.
 *
 * @returns for each its result, or why it was not appended: `topic_not_found`, `id_conflict`, `limit_exceeded`,
 * `payload_too_large`
 * @throws FanfareError `storage_unavailable`, `draining`, and nothing was appended; `internal` when that cannot be told
 */
export async function append(
  log: TopicLog,
  records: readonly NewRecord[],
): Promise<readonly (PublishResult | FanfareError)[]> {
  const outcomes = await appendAll(log, records);
  return records.map((record, at) => {
    const outcome = outcomes[at];
    if (!outcome) throw new Error('the log gave no outcome');
    return resultOf(record, outcome, log);
  });
}

/** How much is appended in one go, in characters of JSON: half of what may be collected for a connection in a turn. */
const charactersPerPiece = 524_288;

/** And in messages, though those before cost little: these may be for many patterns. */
const messagesPerPiece = 256;

/** How much is written to connections in a turn of the event loop, see `Turns` of the fan-out. */
const bytesPerTurn = 16_777_216;

/**
 * Appends admitted messages a piece at a time, and lets what a piece gives the fan-out to write be written before the next:
 * 16 MiB for a thousand subscribers take seconds.
 *
 * @param counters - tell how many deliveries there were
 * @returns as {@link append}; of those that could not be stored after some were, why
 * @throws FanfareError as {@link append}
 */
export async function appendInPieces(
  log: TopicLog,
  records: readonly NewRecord[],
  counters: { readonly deliveries: number },
): Promise<readonly (PublishResult | FanfareError)[]> {
  const results: (PublishResult | FanfareError)[] = [];
  for (const piece of piecesOf(records, log)) {
    const { deliveries } = counters;
    try {
      results.push(...(await append(log, piece)));
    } catch (error) {
      if (results.length === 0 || !(error instanceof FanfareError)) throw error;
      return [...results, ...records.slice(results.length).map(() => error)];
    }
    const characters = charactersOf(piece) / piece.length;
    const turns = Math.floor((characters * (counters.deliveries - deliveries)) / bytesPerTurn);
    for (let turn = 0; turn < turns; turn++) await nextTurn();
  }
  return results;
}

function* piecesOf(records: readonly NewRecord[], log: TopicLog): Generator<readonly NewRecord[], void> {
  let piece: NewRecord[] = [];
  let characters = 0;
  for (const record of records) {
    characters += record.messageJson.length;
    if (
      piece.length >= Math.min(log.recordsMax, messagesPerPiece) ||
      (piece.length > 0 && characters > charactersPerPiece)
    ) {
      yield piece;
      piece = [];
      characters = record.messageJson.length;
    }
    piece.push(record);
  }
  if (piece.length > 0) yield piece;
}

function charactersOf(records: readonly NewRecord[]): number {
  return records.reduce((characters, { messageJson }) => characters + messageJson.length, 0);
}

async function appendAll(log: TopicLog, records: readonly NewRecord[]): Promise<readonly AppendOutcome[]> {
  try {
    return await log.append(records);
  } catch (cause) {
    throw storageRefusal(cause);
  }
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
        `The id '${record.id}' was used for another message to '${record.topic}'.`,
      );
    case 'ids_exhausted':
      return new FanfareError(
        'limit_exceeded',
        'The server remembers as many ids as it may. Try again later, or without id.',
      );
    case 'appended':
    case 'duplicate':
      return acknowledgement(record, outcome, log.epoch);
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
