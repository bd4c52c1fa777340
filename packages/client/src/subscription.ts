import type { Acknowledgement, Envelope } from './envelope.ts';

/**
 * A subscription, as an application has it. It is there until {@link Subscription.close}, whatever the connection does.
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
   * - `waiting`: not begun, or interrupted by a lost connection
   * - `catching_up`: it gets what the log has, or waits for the application to take what came
   * - `live`: it gets messages as they are published
   */
  readonly state: 'waiting' | 'catching_up' | 'live' | 'closed';
  /** Where to go on: everything up to here was handled by the application. */
  readonly offset: string | undefined;
  /** Resolves when it has begun, rejects with a {@link FanfareError} when the server refuses it. */
  readonly ready: Promise<Acknowledgement>;
  /** Ends it. What came and was not handed out yet is dropped. */
  close(): void;
}
