import { isFanoutAdapter, waitingBytesOf } from '@fanfare/fanout';
import type { Form } from '@fanfare/protocol';
import type { Socket } from 'socket.io';
import type { LiveIdentity } from '../access/live-identities.ts';
import type { Asking } from '../access/identify.ts';
import type { Commander } from '../clients/commands.ts';
import type { Source } from '../limits/rate-limits.ts';
import type { Connection } from '../message-path/connection.ts';
import type { Audience, PeerEvent } from '../message-path/peer-events.ts';
import type { Peer } from '../message-path/peer.ts';
import { EncodedArgument } from './encoded-argument.ts';
import type { PacketsWaiting } from './packets-waiting.ts';
import { roomOf } from './room-fan-out.ts';

/**
 * The maximum number of missed messages in the response to a poll. python-engineio refuses a response with
 * more than 16 packets. Two are left for a gap and a state.
 */
const polledMessagesMax = 14;

/** One client of the main namespace of an app's Socket.IO server. */
export class SocketPeer implements Peer, Commander {
  readonly connection: Connection;
  readonly address: string;
  identity: LiveIdentity | undefined;
  readonly #socket: Socket;
  readonly #packets: PacketsWaiting;

  constructor(socket: Socket, address: string, packets: PacketsWaiting, accept: (peer: Peer) => Connection) {
    this.#socket = socket;
    this.address = address;
    this.#packets = packets;
    this.connection = accept(this);
    packets.begin(socket.conn);
  }

  get id(): string {
    return this.#socket.id;
  }

  get transport(): string {
    return this.#socket.conn.transport.name;
  }

  get offeredMessagesMax(): number | undefined {
    return this.#isPolling ? polledMessagesMax : undefined;
  }

  get waitingBytes(): number {
    return waitingBytesOf(this.#socket);
  }

  get source(): Source {
    const { connection, address } = this;
    return { connection, subject: connection.rights.identity.subject, address };
  }

  get asking(): Asking {
    const { request, handshake } = this.#socket;
    return { request, auth: handshake.auth };
  }

  join(audience: Audience, form: Form): void {
    void this.#socket.join(roomOf(audience, form));
  }

  leave(audience: Audience, form: Form): void {
    void this.#socket.leave(roomOf(audience, form));
  }

  notify({ name, argumentJson }: PeerEvent): void {
    this.#socket.emit(name, new EncodedArgument(argumentJson));
  }

  offer(events: readonly PeerEvent[]): boolean {
    const { adapter } = this.#socket.nsp;
    if (isFanoutAdapter(adapter) && !this.#isPolling) {
      return adapter.sendAll(
        this.#socket,
        events.map(({ name, argumentJson }) => [name, new EncodedArgument(argumentJson)]),
      );
    }
    if (this.#packets.of(this.#socket.conn) > 0) {
      this.#waitUntilEmpty();
      return false;
    }
    for (const event of events) this.notify(event);
    return true;
  }

  end(): void {
    this.#socket.disconnect(true);
  }

  /** Fanfare leaves the client, or the client has gone. */
  close(): void {
    this.#packets.end(this.#socket.conn);
    this.identity?.close();
    this.connection.close();
  }

  get #isPolling(): boolean {
    return this.transport === 'polling';
  }

  /** One poll may take only a part of the waiting packets. */
  #waitUntilEmpty(): void {
    const { conn } = this.#socket;
    conn.once('drain', () => {
      if (this.#packets.of(conn) > 0) this.#waitUntilEmpty();
      else this.connection.drained();
    });
  }
}
