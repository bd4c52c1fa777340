import type { Acknowledgement, Envelope } from './envelope.ts';

/**
 * A subscription of the application. It exists until {@link Subscription.close}, even if the connection is
 * lost.
 *
 * Iterate over it once: leaving the loop closes it.
 *
 * @example
 * for await (const { topic, message, offset } of fanfare.subscribe('orders/**')) {
 *   await handle(topic, message);
 * }
 */
export interface Subscription<Message = unknown> extends AsyncIterable<Envelope<Message>> {
  /** The topic or pattern. */
  readonly topic: string;
  /**
   * - `waiting`: not acknowledged yet, or interrupted by a lost connection
   * - `catching_up`: it receives messages from the log, or the application is slow
   * - `live`: it receives messages as they are published
   */
  readonly state: 'waiting' | 'catching_up' | 'live' | 'closed';
  /** The position to resume from: the application has handled everything before it. */
  readonly offset: string | undefined;
  /**
   * Resolves when the server has acknowledged it. Rejects with a {@link FanfareError} if the server refuses
   * it.
   */
  readonly ready: Promise<Acknowledgement>;
  /** Ends the subscription. Messages that were received but not delivered yet are dropped. */
  close(): void;
}
