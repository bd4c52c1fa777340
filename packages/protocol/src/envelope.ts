import type { Interest } from './pattern.ts';
import type { Topic } from './topic.ts';

/** A message as an envelope subscription gets it, in the event `message`. */
export interface Envelope<Message = unknown> {
  readonly topic: string;
  readonly message: Message;
  /** There on a topic that keeps messages: where to go on from after this one. */
  readonly offset?: string;
  /** Milliseconds since 1970, as the log stamped it. */
  readonly time: number;
  /** There when the publisher gave one. */
  readonly id?: string;
  /** The authenticated subject that has published it; there where the topic's rule tells. */
  readonly publisher?: string;
  /** There while catching up: the topic or pattern of the one subscription that the delivery is for. */
  readonly replay?: string;
}

/** A message that is JSON text already, which is how it travels from the publisher to every subscriber. */
export interface EncodedMessage {
  readonly topic: Topic;
  readonly messageJson: string;
  readonly time: number;
  readonly id?: string;
  readonly publisher?: string;
}

/** The argument of the event named by the topic: `{"message": …}`. */
export function encodePlain({ messageJson }: EncodedMessage): string {
  return `{"message":${messageJson}}`;
}

/**
 * The argument of the event `message`: an {@link Envelope}.
 *
 * @param replay - while catching up, the interest of the one subscription that it is for
 */
export function encodeEnvelope(
  { topic, messageJson, time, id, publisher }: EncodedMessage,
  offset?: string,
  replay?: Interest,
): string {
  const offsetJson = offset === undefined ? '' : `,"offset":"${offset}"`;
  const idJson = id === undefined ? '' : `,"id":${JSON.stringify(id)}`;
  const publisherJson = publisher === undefined ? '' : `,"publisher":${JSON.stringify(publisher)}`;
  const replayJson = replay === undefined ? '' : `,"replay":${JSON.stringify(replay)}`;
  return `{"topic":${JSON.stringify(topic)},"message":${messageJson}${offsetJson},"time":${time}${idJson}${publisherJson}${replayJson}}`;
}
