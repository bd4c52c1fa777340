import { encodeEnvelope } from '@fanfare/protocol';
import type { LogRecord } from '../log/topic-log.ts';
import { offsetOf } from '../message-path/peer-events.ts';
import type { WebhookEvent } from '../rules/rule.ts';

/** Messages or events are missing before this one. An unknown number has no `dropped`. */
export interface Missing {
  readonly dropped?: number;
}

/** Something that happened to a topic, and that is not a message. */
export interface TopicEvent {
  readonly id: string;
  readonly type: Exclude<WebhookEvent, 'message'>;
  readonly topic: string;
  /** In milliseconds since 1970. */
  readonly time: number;
  /** The offset of the newest message at that time. The event comes after the messages up to there. */
  readonly after: string;
  readonly gap?: Missing;
}

/** The id of a message is the same in each attempt, and for each server that reads the log. */
export function idOf({ epoch, sequence }: LogRecord): string {
  // A dot would be taken for the end of the id where the signature is made.
  return `msg_${epoch}_${sequence}`;
}

/** The body of a request for a message. Its `data` is the envelope of the message. */
export function encodeMessageBody(record: LogRecord, gap?: Missing): Buffer {
  return encode('message', record.time, encodeEnvelope(record, offsetOf(record)), gap);
}

export function encodeEventBody({ type, topic, time, gap }: TopicEvent): Buffer {
  return encode(type, time, JSON.stringify({ topic, time }), gap);
}

function encode(type: WebhookEvent, time: number, dataJson: string, gap: Missing | undefined): Buffer {
  const gapJson = gap === undefined ? '' : `,"gap":${JSON.stringify(gap)}`;
  const timestamp = new Date(time).toISOString();
  return Buffer.from(`{"type":"${type}","timestamp":"${timestamp}","data":${dataJson}${gapJson}}`);
}

/** Adds up what is missing. */
export function addMissing(
  some: Missing | undefined,
  { dropped: more }: { readonly dropped?: number | 'unknown' },
): Missing {
  if (typeof more !== 'number') return {};
  if (some === undefined) return { dropped: more };
  return some.dropped === undefined ? {} : { dropped: some.dropped + more };
}
