import type { Socket } from 'socket.io';
import type { Adapter, BroadcastOptions } from 'socket.io-adapter';
import { connectionOf, eachReceiver, type Connection } from './internals.ts';
import type { Outbox } from './outbox.ts';

/** A socket that gets broadcasts. There is one receiver for each socket, whatever rooms it is in. */
export interface Receiver {
  readonly socket: Socket;
  readonly outbox: Outbox;
  /** The number of the last merge of several rooms that found the receiver. */
  lastMerge: number;
}

const everybody = Symbol('everybody');

/** Finds the sockets of a broadcast: the same as Socket.IO's own adapter, in the same order. */
export class Receivers {
  readonly #adapter: Adapter;
  readonly #outboxOf: (connection: Connection) => Outbox;
  /** The receivers of a room, or of all sockets. An entry is valid until a socket joins or leaves. */
  readonly #known = new Map<string | undefined | typeof everybody, readonly Receiver[]>();
  readonly #receivers = new WeakMap<Socket, Receiver>();
  #merges = 0;

  constructor(adapter: Adapter, outboxOf: (connection: Connection) => Outbox) {
    this.#adapter = adapter;
    this.#outboxOf = outboxOf;
  }

  of(options: BroadcastOptions): readonly Receiver[] {
    const { rooms, except } = options;
    if ((except?.size ?? 0) > 0) return this.#find(options);
    if (rooms.size > 1) return this.#merge(rooms);
    // An app may pass the room `undefined` by mistake. No socket is in this room.
    const [room] = rooms;
    return rooms.size === 1 ? this.#inRoom(room) : this.#all(options);
  }

  /** A socket joins or leaves a room. */
  forgetRoom(room: string): void {
    this.#known.delete(room);
  }

  /** A socket connects or disconnects. */
  forgetEverybody(): void {
    this.#known.delete(everybody);
  }

  #all(options: BroadcastOptions): readonly Receiver[] {
    return this.#known.get(everybody) ?? this.#learn(everybody, options, this.#adapter.sids.size);
  }

  #inRoom(room: string | undefined): readonly Receiver[] {
    const known = this.#known.get(room);
    if (known) return known;
    const members = this.#adapter.rooms.get(room as string)?.size ?? 0;
    if (members === 0) return [];
    return this.#learn(room, { rooms: new Set([room as string]) }, members);
  }

  #learn(
    target: string | undefined | typeof everybody,
    options: BroadcastOptions,
    members: number,
  ): readonly Receiver[] {
    const found = this.#find(options);
    // A socket can be in a room before its namespace knows it. It is found once it is connected.
    if (found.length === members) this.#known.set(target, found);
    return found;
  }

  /**
   * Finds the sockets in any of several rooms, each once. A mark on each receiver replaces a set, and lists
   * for each combination of rooms. The list is complete before the first send, because a listener of the app
   * may broadcast to several rooms itself.
   */
  #merge(rooms: ReadonlySet<string>): readonly Receiver[] {
    const merge = ++this.#merges;
    const found: Receiver[] = [];
    for (const room of rooms) {
      for (const receiver of this.#inRoom(room)) {
        if (receiver.lastMerge === merge) continue;
        receiver.lastMerge = merge;
        found.push(receiver);
      }
    }
    return found;
  }

  #find(options: BroadcastOptions): readonly Receiver[] {
    const found: Receiver[] = [];
    eachReceiver(this.#adapter, options, (socket) => found.push(this.#receiverOf(socket)));
    return found;
  }

  #receiverOf(socket: Socket): Receiver {
    let receiver = this.#receivers.get(socket);
    if (receiver === undefined) {
      receiver = { socket, outbox: this.#outboxOf(connectionOf(socket)), lastMerge: 0 };
      this.#receivers.set(socket, receiver);
    }
    return receiver;
  }
}
