import type { Envelope as WireEnvelope, FromInput } from '@fanfare/protocol';
import { fieldsOf, textOf } from './errors.ts';

/**
 * A message of a subscription or of the history. If the server does not send `time`, it is when the message
 * arrived here.
 *
 * @example
 * const show = ({ topic, message, time }: Envelope): void => console.log(new Date(time), topic, message);
 */
export type Envelope<Message = unknown> = WireEnvelope<Message>;

/** Parses an envelope. Undefined if the input is not one. */
export function readEnvelope(input: unknown): Envelope | undefined {
  const { topic, message, offset, time, id, publisher, replay } = fieldsOf(input);
  if (typeof topic !== 'string') return undefined;
  return {
    topic,
    message,
    ...(typeof offset === 'string' && { offset }),
    time: typeof time === 'number' ? time : Date.now(),
    ...(typeof id === 'string' && { id }),
    ...(typeof publisher === 'string' && { publisher }),
    ...(typeof replay === 'string' && { replay }),
  };
}

/**
 * The start of a subscription or of the history (PROTOCOL 3.3):
 *
 * - `'new'`: with messages that are published from now on
 * - `'earliest'`: with the earliest stored message
 * - `'last'`, `{ last: N }`: with the newest message, or the newest N, of each topic
 * - an offset: with the first message after it
 * - `{ time }`: with the first message at or after this time, in milliseconds since 1970
 *
 * @example
 * const yesterday: From = { time: Date.now() - 86_400_000 };
 */
export type From = FromInput;

/**
 * The acknowledgement of a subscription (PROTOCOL 3.4, 3.5).
 *
 * @example
 * const { recovered } = await fanfare.subscribe('orders/*', { from: offset }).ready;
 */
export interface Acknowledgement {
  /** The position where the subscription starts. Absent if the server keeps no messages. */
  readonly offset?: string;
  readonly isLive: boolean;
  /** Present after a start from an offset: whether the server can prove that no message is missing. */
  readonly recovered?: boolean;
}

export function readAcknowledgement(input: unknown): Acknowledgement {
  const { offset, state, recovered } = fieldsOf(input);
  const place = textOf(offset);
  return {
    ...(place !== undefined && { offset: place }),
    isLive: state !== 'catching_up',
    ...(typeof recovered === 'boolean' && { recovered }),
  };
}

/**
 * Reports that messages are missing.
 *
 * @example
 * fanfare.subscribe('orders/*', {
 *   onGap: ({ topic, dropped = 'some' }: Gap) => warn(`${dropped} of ${topic} are missing`),
 * });
 */
export interface Gap {
  /** The topic or pattern of the subscription. */
  readonly topic: string;
  /** The number of missing messages, if the server knows it. */
  readonly dropped?: number;
  /**
   * - `start`: the server no longer has all messages since the offset that the subscription started from
   * - `resume`: the server no longer has all messages of the time without connection
   * - `dropped`: this client was too slow, and the server did not keep the messages
   */
  readonly reason: 'start' | 'resume' | 'dropped';
}
