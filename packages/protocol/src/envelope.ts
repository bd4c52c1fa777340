import type { Topic } from './topic.ts';

/** A message as an envelope subscription gets it, in the event `message`. */
export interface Envelope {
  readonly topic: Topic;
  readonly message: unknown;
  /** Milliseconds since 1970, as the log stamped it. */
  readonly time: number;
  /** There when the publisher gave one. */
  readonly id?: string;
}

/** A message that is JSON text already, which is how it travels from the publisher to every subscriber. */
export interface EncodedMessage {
  readonly topic: Topic;
  readonly messageJson: string;
  readonly time: number;
  readonly id?: string;
}

/** The argument of the event named by the topic: `{"message": …}`. */
export function encodePlain({ messageJson }: EncodedMessage): string {
  return `{"message":${messageJson}}`;
}

/** The argument of the event `message`: an {@link Envelope}. */
export function encodeEnvelope({ topic, messageJson, time, id }: EncodedMessage): string {
  const idJson = id === undefined ? '' : `,"id":${JSON.stringify(id)}`;
  return `{"topic":${JSON.stringify(topic)},"message":${messageJson},"time":${time}${idJson}}`;
}
