import type { LiveEvent } from './peer-events.ts';

/** Sends events to all connections that have joined an audience in a form. */
export interface FanOut {
  /**
   * Sends an event to all connections that have joined any of its audiences: once to each, in the order of
   * the calls. MUST NOT throw, whatever the state of a connection. For a connection without space, it calls
   * {@link Connection.overflow}.
   *
   * @returns the number of connections that the event was sent to, without those that have no space. Polling
   *   clients are counted later
   */
  broadcast(event: LiveEvent): number;
  /**
   * Backpressure: resolves when so much is written that more can be broadcast without blocking the event
   * loop.
   */
  ready(): Promise<void>;
  /**
   * The number of bytes that wait for connections. Bytes that wait for several connections MAY count once.
   */
  readonly waitingBytes: number;
}
