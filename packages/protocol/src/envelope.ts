import type { Interest } from './pattern.ts';
import { rememberLast } from './remember-last.ts';
import type { Topic } from './topic.ts';

/**
 * A message in the form that envelope subscriptions receive, as the argument of the event `message`
 * (PROTOCOL.md §3).
 */
export interface Envelope<Message = unknown> {
  readonly topic: string;
  readonly message: Message;
  /**
   * The position after this message, from which a client can resume. Absent if the topic keeps no messages.
   */
  readonly offset?: string;
  /** When the log received the message, in milliseconds since 1970. */
  readonly time: number;
  /** The idempotency key of the publish, if it had one. */
  readonly id?: string;
  /**
   * The authenticated subject of the publisher. Present only if the rule of the topic says `publisher: true`.
   */
  readonly publisher?: string;
  /** During catch-up: the topic or pattern of the one subscription that this delivery is for. */
  readonly replay?: string;
}

/**
 * A message as JSON text. The server never parses it, so that numbers keep their digits on the way to
 * subscribers.
 */
export interface EncodedMessage {
  readonly topic: Topic;
  readonly messageJson: string;
  readonly time: number;
  readonly id?: string;
  readonly publisher?: string;
}

/** Encodes the argument of a plain delivery, an event named after the topic: `{"message": …}`. */
export function encodePlain({ messageJson }: EncodedMessage): string {
  return `{"message":${messageJson}}`;
}

/**
 * Encodes the argument of the event `message`: an {@link Envelope}.
 *
 * @param replay - during catch-up, the topic or pattern of the one subscription that the delivery is for
 */
export function encodeEnvelope(
  { topic, messageJson, time, id, publisher }: EncodedMessage,
  offset?: string,
  replay?: Interest,
): string {
  const offsetJson = offset === undefined ? '' : `,"offset":"${offset}"`;
  const idJson = id === undefined ? '' : `,"id":${JSON.stringify(id)}`;
  const publisherJson = publisher === undefined ? '' : `,"publisher":${JSON.stringify(publisher)}`;
  const replayJson = replay === undefined ? '' : encodeReplay(replay);
  return `${encodeStart(topic)}${messageJson}${offsetJson},"time":${time}${idJson}${publisherJson}${replayJson}}`;
}

const encodeStart = rememberLast((topic: Topic) => `{"topic":${JSON.stringify(topic)},"message":`);

/** A page of a replay has one interest, though it may have many topics. */
const encodeReplay = rememberLast((replay: Interest) => `,"replay":${JSON.stringify(replay)}`);
