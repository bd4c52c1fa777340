import {
  encodeEnvelope,
  formatOffset,
  isPattern,
  type From,
  type HistoryPage,
  type Interest,
  type Offset,
  type Topic,
} from '@fanfare/protocol';
import { Pacer } from '../limits/pacer.ts';
import type { LogRecord, MayRead, Page, Position, TopicLog } from '../log/topic-log.ts';
import { offsetOf } from './peer-events.ts';
import { topicNotFound } from './refusals.ts';

/** A page whose envelopes are JSON texts, ready to be sent. */
export interface History extends Omit<HistoryPage, 'messages'> {
  readonly messages: readonly string[];
}

/** A page of a backward read: it ends where a later page begins. */
export type HistoryBefore = Omit<History, 'recovered'>;

/** The size limit of a page in bytes, whatever `limit` the client asked for. */
const bytesMax = 4 * 1_048_576;

/**
 * Reads a page.
 *
 * @param limit - the most messages that the page may have
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
  if (!isPattern(interest)) await checkExists(log, interest);
  const { position, recovered } = await log.locate(interest, from, mayRead);
  const { records, page } = await readPages(
    (start) => log.read(interest, start, { recordsMax: limit, bytesMax }, mayRead),
    position,
  );
  const isComplete = recovered && page.dropped === 0;
  return {
    messages: records.map((record) => encodeEnvelope(record, offsetOf(record))),
    next: formatOffset(page.position),
    more: !page.isAtHead,
    ...(recovered !== undefined && { recovered: isComplete === true }),
  };
}

/**
 * Reads the newest messages before an offset. `next` is the offset from which to continue further back, and
 * `more` says whether anything is there.
 *
 * @param limit - the most messages that the page may have
 * @throws FanfareError `topic_not_found`
 * @throws LogDamagedError
 */
export async function readHistoryBefore(
  log: TopicLog,
  topic: Topic,
  before: Offset,
  limit: number,
): Promise<HistoryBefore> {
  await checkExists(log, topic);
  const { records, isAtStart } = await log.readBefore(topic, before, { recordsMax: limit, bytesMax });
  const [oldest] = records;
  return {
    messages: records.map((record) => encodeEnvelope(record, offsetOf(record))),
    next: formatOffset(oldest ?? before),
    more: !isAtStart,
  };
}

async function checkExists(log: TopicLog, topic: Topic): Promise<void> {
  if (!(await log.topicState(topic))) throw topicNotFound(topic);
}

/**
 * While the log searches the messages of a pattern, it may return an empty page. Then the next page is read.
 */
async function readPages(
  read: (from: Position) => Promise<Page>,
  start: Position,
): Promise<{ readonly records: readonly LogRecord[]; readonly page: Page }> {
  let page = await read(start);
  const dropped = page.dropped;
  const pacer = new Pacer();
  while (page.records.length === 0 && !page.isAtHead) {
    if (pacer.isDue) await pacer.yield();
    page = await read(page.position);
  }
  return { records: page.records, page: { ...page, dropped } };
}
