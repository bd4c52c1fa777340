import type { Form } from '@fanfare/protocol';
import type { Audience, PeerEvent } from './peer-events.ts';

/** The other end of a connection, as far as subscriptions need it. */
export interface Peer {
  /** Names the connection. No other connection has the same id at the same time. */
  readonly id: string;
  /** The current transport, such as `websocket`, `polling` or `stream`. */
  readonly transport: string;
  /** The address of the other end, as the system knows it; empty where there is none. */
  readonly address: string;
  /** How many bytes wait for it. */
  readonly waitingBytes: number;
  /** Whether the client polls. The peer then counts deliveries itself, once a poll has taken them. */
  readonly isPolled?: boolean;
  /** From now on the peer receives what is broadcast to this audience in this form. */
  join(audience: Audience, form: Form): void;
  leave(audience: Audience, form: Form): void;
  /** Sends an event of the protocol to this peer alone. It is small, and is sent even if there is no room. */
  notify(event: PeerEvent): void;
  /**
   * Offers events to this peer alone. It takes all or none: without room it takes none, and calls
   * {@link Connection.drained} once it has room.
   *
   * @returns whether it took them
   */
  offer(events: readonly PeerEvent[]): boolean;
  /** Ends the connection, in a way that shows the client that the server did. */
  end(): void;
}
