import { FanfareError, type PublishResult } from '@fanfare/protocol';
import type { Rights } from '../access/rights.ts';
import { Pacer } from '../limits/pacer.ts';
import type { NewRecord, TopicLog } from '../log/topic-log.ts';
import type { SubscriptionIndex } from '../subscriptions/subscription-index.ts';
import type { Admission } from './admit.ts';
import { append } from './append.ts';
import type { Counters } from './counters.ts';
import { elementsOf, linesOf } from './json-text.ts';
import { PublishScanner, type PublishMembers } from './publish-scanner.ts';
import { isNotJson, notJson } from './refusals.ts';

/** The publishes of a batch as they were received: a JSON array, or lines of JSON. */
export type BatchInput = { readonly array: string } | { readonly lines: string };

/** The result of one message of a batch: an acknowledgement, or a refusal. */
export type BatchResult = PublishResult | FanfareError;

/** One message of a batch: its record, or its refusal. */
type Admitted = NewRecord | FanfareError;

export interface BatchParts {
  readonly log: TopicLog;
  readonly counters: Counters;
  readonly admission: Admission;
  readonly index: Pick<SubscriptionIndex, 'isCovered'>;
  readonly limits: { readonly batchMessagesMax: number };
  /** Resolves when the fan-outs have written so much that more can be broadcast. */
  readonly fanOutsReady: () => Promise<void>;
}

/**
 * A publish of this size is admitted in a turn of its own: parsing 1 MiB can take 50 ms, and so can the work
 * before it, such as decoding the body.
 */
const largeCharacters = 131_072;

/** How many scanned publishes are admitted before the clock is read, which takes a tenth of their time. */
const admittedPerLook = 16;

/**
 * Admits a batch. Each publish is admitted or refused on its own.
 *
 * @returns the record or the refusal of each publish, in their order
 * @throws FanfareError if the text is not a JSON array, if there are too many publishes, or while the server
 *   drains
 */
export async function admitMany(
  rights: Rights,
  input: BatchInput,
  { admission, limits: { batchMessagesMax } }: BatchParts,
): Promise<readonly Admitted[]> {
  admission.checkDraining();
  const isArray = 'array' in input;
  const admitted: Admitted[] = [];
  const pacer = new Pacer();
  for (const publish of isArray ? publishesInArray(input.array) : publishesInLines(input.lines)) {
    if (isPauseDue(publish, admitted.length, pacer)) await pacer.yield();
    if (publish === undefined) continue;
    if (admitted.length === batchMessagesMax) {
      const detail = `Too many messages in a batch (limit: ${batchMessagesMax}, \`batchMessagesMax\`). Send several batches.`;
      throw new FanfareError('payload_too_large', detail);
    }
    const one = admitOrRefuse(admission, rights, publish);
    // If an element is not JSON, the array is not JSON.
    if (isArray && isNotJson(one)) throw one;
    admitted.push(one);
  }
  // Appending large messages takes time as well.
  if (pacer.isDue) await pacer.yield();
  return admitted;
}

/** @param admitted - the number of publishes before this one */
function isPauseDue(publish: PublishMembers | string | undefined, admitted: number, pacer: Pacer): boolean {
  if (typeof publish === 'object') return admitted % admittedPerLook === 0 && pacer.isDue;
  return pacer.isDue || (publish !== undefined && publish.length > largeCharacters);
}

/**
 * Appends the admitted records, a piece at a time. Before the next piece, the fan-outs write the last one,
 * because writing 16 MiB to a thousand subscribers takes seconds.
 *
 * @returns the result of each record, in their order. If only some could be stored, the others have the
 *   reason
 * @throws FanfareError `storage_unavailable` or `draining` if nothing was appended; `outcome_unknown`
 */
export async function appendMany(
  admitted: readonly Admitted[],
  { log, counters, index, fanOutsReady }: BatchParts,
): Promise<readonly BatchResult[]> {
  const records = admitted.filter((one): one is NewRecord => !(one instanceof FanfareError));
  const results: BatchResult[] = [];
  for (const piece of piecesOf(records, log)) {
    try {
      results.push(
        ...(await append(
          log,
          counters,
          piece.map((record) => withCreation(record, index)),
        )),
      );
    } catch (error) {
      if (results.length === 0 || !(error instanceof FanfareError)) throw error;
      results.push(...records.slice(results.length).map(() => error));
      break;
    }
    await fanOutsReady();
  }
  let taken = 0;
  return admitted.map((one) => (one instanceof FanfareError ? one : (results[taken++] as BatchResult)));
}

/** Maximum size of a piece, in characters of JSON: half of the space for a connection in a turn. */
const charactersPerPiece = 524_288;

/** Maximum size of a piece, in messages. They can be small, but each may match many patterns. */
const messagesPerPiece = 256;

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

/**
 * Since a message was admitted, the pieces before it were appended, and a pattern subscription may have come.
 */
function withCreation(record: NewRecord, index: Pick<SubscriptionIndex, 'isCovered'>): NewRecord {
  if (record.createsTopic === true || !index.isCovered(record.topic)) return record;
  return { ...record, createsTopic: true };
}

function admitOrRefuse(admission: Admission, rights: Rights, publish: PublishMembers | string): Admitted {
  try {
    return typeof publish === 'string'
      ? admission.admit(rights, { json: publish })
      : admission.admitMembers(rights, publish);
  } catch (error) {
    if (error instanceof FanfareError) return error;
    throw error;
  }
}

/** @throws FanfareError as soon as it is known that the text is not an array */
function* publishesInArray(json: string): Generator<PublishMembers | string | undefined, void> {
  try {
    yield* elementsOf(json, new PublishScanner(json, false));
  } catch (error) {
    throw notJson(error);
  }
}

function publishesInLines(text: string): Generator<PublishMembers | string, void> {
  return linesOf(text, new PublishScanner(text, true));
}
