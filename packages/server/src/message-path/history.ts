import {
  encodeEnvelope,
  FanfareError,
  formatOffset,
  isPattern,
  type From,
  type Interest,
} from '@fanfare/protocol';
import type { LogRecord, MayRead, Page, Position, TopicLog } from '../log/topic-log.ts';
import { offsetOf } from './deliver.ts';

/** A page of what a topic or pattern keeps. */
export interface History {
  /** The envelopes, as JSON texts. */
  readonly messages: readonly string[];
  /** The offset to go on from. */
  readonly next: string;
  /** Whether there is more now. */
  readonly more: boolean;
  /** There when it was asked from an offset: whether nothing after that is missing. */
  readonly recovered?: boolean;
}

/** What one answer has at the most, whatever was asked for. */
const bytesMax = 4 * 1_048_576;

/**
 * Reads a page.
 *
 * @param limit - how many messages at the most
 * @throws FanfareError `topic_not_found`
 * @throws LogDamagedError
 */
export async function readHistory(
  log: TopicLog,
  interest: Interest,
  from: From,
  limit: number,
  mayRead?: MayRead,
): Promise<History> {
  if (!isPattern(interest) && !(await log.topicState(interest)))
    throw new FanfareError('topic_not_found', `Topic '${interest}' does not exist`);
  const { position, recovered } = await log.locate(interest, from, mayRead);
  const { records, page } = await readPages(
    (start) => log.read(interest, start, { recordsMax: limit, bytesMax }, mayRead),
    position,
  );
  const isComplete = recovered && page.dropped === 0;
  return {
    messages: records.map((record) => encodeEnvelope(record, offsetOf(record, log.epoch))),
    next: formatOffset({ epoch: log.epoch, sequence: page.position.sequence }),
    more: !page.isAtHead,
    ...(recovered !== undefined && { recovered: isComplete === true }),
  };
}

/** A page of a pattern may be short or empty where there is a lot to look through: then it is gone on. */
async function readPages(
  read: (from: Position) => Promise<Page>,
  start: Position,
): Promise<{ readonly records: readonly LogRecord[]; readonly page: Page }> {
  let page = await read(start);
  const dropped = page.dropped;
  while (page.records.length === 0 && !page.isAtHead) {
    page = await read(page.position);
  }
  return { records: page.records, page: { ...page, dropped } };
}
