import { isFanoutAdapter, waitingBytesOf } from '@fanfare/fanout';
import type { Form } from '@fanfare/protocol';
import type { Socket } from 'socket.io';
import type { PacketsWaiting } from '../insides/engine-inside.ts';
import type { Connection } from '../message-path/connection.ts';
import { isDelivery, type Audience, type PeerEvent } from '../message-path/peer-events.ts';
import type { Peer } from '../message-path/peer.ts';
import { EncodedArgument } from './encoded-argument.ts';
import type { PollingResponses } from './polling-responses.ts';
import { roomOf } from './room-fan-out.ts';

/** The parts of Engine.IO's connection that are used where the adapter is not `@fanfare/fanout`. */
interface EngineConnection {
  once(event: 'drain', listener: () => void): void;
}

/** One client of Socket.IO's main namespace. */
export class SocketPeer implements Peer {
  readonly connection: Connection;
  readonly #socket: Socket;
  readonly #polling: PollingResponses;
  readonly #packets: PacketsWaiting;

  constructor(
    socket: Socket,
    polling: PollingResponses,
    { packets }: { readonly packets: PacketsWaiting },
    accept: (peer: Peer) => Connection,
  ) {
    this.#socket = socket;
    this.#polling = polling;
    this.#packets = packets;
    this.connection = accept(this);
  }

  get id(): string {
    return this.#socket.id;
  }

  get transport(): string {
    return this.#socket.conn.transport.name;
  }

  get isPolled(): boolean {
    return this.#polling.isPolled(this.#socket);
  }

  get address(): string {
    return this.#socket.conn.remoteAddress;
  }

  get waitingBytes(): number {
    return waitingBytesOf(this.#socket);
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
    if (!this.isPolled) return this.#offer(events);
    this.#polling.mark(events.filter((event) => !isDelivery(event)).length);
    try {
      return this.#offer(events);
    } finally {
      this.#polling.unmark();
    }
  }

  #offer(events: readonly PeerEvent[]): boolean {
    const { adapter } = this.#socket.nsp;
    if (isFanoutAdapter(adapter)) {
      return adapter.sendAll(
        this.#socket,
        events.map(({ name, argumentJson }) => [name, new EncodedArgument(argumentJson)]),
      );
    }
    const connection = this.#socket.conn as unknown as EngineConnection;
    if (this.#packets.of(connection) > 0) {
      this.#waitUntilEmpty(connection);
      return false;
    }
    for (const event of events) this.notify(event);
    return true;
  }

  /** One poll may take only a part of the waiting packets. */
  #waitUntilEmpty(connection: EngineConnection): void {
    connection.once('drain', () => {
      if (this.#packets.of(connection) > 0) this.#waitUntilEmpty(connection);
      else this.connection.drained();
    });
  }

  end(): void {
    this.#socket.disconnect(true);
  }
}
