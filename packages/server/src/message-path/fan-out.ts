import type { LiveEvent } from './peer-events.ts';

/** The way to every connection that has joined an audience in a form. */
export interface FanOut {
  /**
   * Sends an event to all that have joined any of its audiences, once to each, in the order of the calls. MUST NOT
   * throw, whatever a connection's state. A connection that has no room for it gets {@link Connection.overflow}.
   *
   * @returns the number of connections it was sent to. Connections without room are not counted; clients that poll are
   * counted later
   */
  broadcast(event: LiveEvent): number;
  /** Backpressure: resolves once so much has been written that more may be broadcast without blocking the event loop. */
  ready(): Promise<void>;
  /** How many bytes wait for connections. Bytes that wait for several connections MAY count once. */
  readonly waitingBytes: number;
}
