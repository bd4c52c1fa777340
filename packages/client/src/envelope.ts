import type { Envelope as WireEnvelope, FromInput } from '@fanfare/protocol';
import { fieldsOf, textOf } from './errors.ts';

/**
 * A message as a subscription or the history hands it out. If the server does not send `time`, it is when the
 * message came.
 *
 * @example
 * const show = ({ topic, message, time }: Envelope): void => console.log(new Date(time), topic, message);
 */
export type Envelope<Message = unknown> = WireEnvelope<Message>;

/** Reads an envelope off the wire. Undefined when it is none. */
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
 * Where to start: from now, from the first message that is kept, from the newest one or newest N of each topic, after
 * an offset, or with the first message of a time (in milliseconds since 1970). PROTOCOL 3.3.
 *
 * @example
 * const yesterday: From = { time: Date.now() - 86_400_000 };
 */
export type From = FromInput;

/**
 * What a server says when a subscription has begun (PROTOCOL 3.4, 3.5).
 *
 * @example
 * const { recovered } = await fanfare.subscribe('orders/*', { from: offset }).ready;
 */
export interface Acknowledgement {
  /** Where the subscription starts. Not there on a server that keeps no messages. */
  readonly offset?: string;
  readonly isLive: boolean;
  /** There when it started from an offset: whether the server can prove that nothing is missing. */
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
 * Messages are missing.
 *
 * @example
 * fanfare.subscribe('orders/*', { onGap: ({ topic, dropped = 'some' }: Gap) => warn(`${dropped} of ${topic} are missing`) });
 */
export interface Gap {
  /** The topic or pattern subscribed. */
  readonly topic: string;
  /** How many, where the server knows. */
  readonly dropped?: number;
  /**
   * - `start`: the server cannot prove that it has all that came after the offset that the subscription began with
   * - `resume`: nor all that came while it was away
   * - `dropped`: what the server could not keep until this client took it
   */
  readonly reason: 'start' | 'resume' | 'dropped';
}
