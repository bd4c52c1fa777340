import type { Form } from '@fanfare/protocol';
import type { Audience, PeerEvent } from './peer-events.ts';

/** The other end of a connection, for subscriptions. */
export interface Peer {
  /** The id of the connection. No other connection has the same id at the same time. */
  readonly id: string;
  /** The current transport, such as `websocket`, `polling` or `stream`. */
  readonly transport: string;
  /** The address of the other end; empty if there is none. */
  readonly address: string;
  /** The number of bytes that wait for the peer. */
  readonly waitingBytes: number;
  /** Whether the client polls. Then the peer counts deliveries itself, when a poll has taken them. */
  readonly isPolled?: boolean;
  /** The maximum number of messages in an offer. Without it, as many as a page has. */
  readonly offeredMessagesMax?: number | undefined;
  /** From now on, the peer receives broadcasts to the audience in this form. */
  join(audience: Audience, form: Form): void;
  leave(audience: Audience, form: Form): void;
  /**
   * Sends an event of the protocol to this peer only. The event is small, and is sent even if there is no
   * space.
   */
  notify(event: PeerEvent): void;
  /**
   * Offers events to this peer only. The peer takes all of them or none. If it takes none, it calls
   * {@link Connection.drained} when it has space.
   *
   * @returns whether the peer took the events
   */
  offer(events: readonly PeerEvent[]): boolean;
  /** Ends the connection. The client can see that the server ended it. */
  end(): void;
}
