import { isFanoutAdapter, waitingBytesOf } from '@fanfare/fanout';
import type { Form } from '@fanfare/protocol';
import type { Server, Socket } from 'socket.io';
import { PacketType } from 'socket.io-parser';
import type { PacketsWaiting } from '../insides/engine-inside.ts';
import { isDelivery, type Audience, type FanOut, type PeerEvent } from '../message-path/deliver.ts';
import type { Peer } from '../message-path/subscription.ts';
import type { Logger } from '../observability/logger.ts';
import { EncodedArgument } from './encoded-argument.ts';
import type { PollingResponses } from './polling-responses.ts';

/** Keeps Fanfare's rooms apart from the room that every socket is in under its own id, and from an app's rooms. */
const prefix = 'fanfare:';

/** The Socket.IO room of those who have joined an audience in one form. */
function roomOf(audience: Audience, form: Form): string {
  return `${prefix}${form}:${audience}`;
}

/** How many rooms are remembered by name. */
const roomsMax = 4_096;

/** The names of rooms. Making and hashing one anew for each message takes longer than all else that is done for it. */
class RoomNames {
  readonly #names = new Map<Audience, string>();
  readonly #form: Form;

  constructor(form: Form) {
    this.#form = form;
  }

  of(audience: Audience): string {
    let name = this.#names.get(audience);
    if (name === undefined) {
      if (this.#names.size >= roomsMax) this.#names.clear();
      this.#names.set(audience, (name = roomOf(audience, this.#form)));
    }
    return name;
  }
}

/** The audience and the form of one of Fanfare's rooms; undefined for any other room. */
export function subscriptionOf(
  room: string,
): { readonly audience: Audience; readonly form: Form } | undefined {
  for (const form of ['plain', 'envelope'] as const) {
    const start = roomOf('' as Audience, form);
    if (room.startsWith(start)) return { audience: room.slice(start.length) as Audience, form };
  }
  return undefined;
}

/** What of Engine.IO's connection is used where an app's own adapter does not bound what waits. */
interface EngineConnection {
  once(event: 'drain', listener: () => void): void;
}

export class SocketPeer implements Peer {
  readonly #socket: Socket;
  readonly #polling: PollingResponses;
  readonly #packets: PacketsWaiting;
  readonly #onRoom: () => void;

  /** @param onRoom - called when events that were offered, and not sent, can be offered again */
  constructor(socket: Socket, polling: PollingResponses, packets: PacketsWaiting, onRoom: () => void) {
    this.#socket = socket;
    this.#polling = polling;
    this.#packets = packets;
    this.#onRoom = onRoom;
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

  tell({ name, argumentJson }: PeerEvent): void {
    this.#socket.emit(name, new EncodedArgument(argumentJson));
  }

  offer(events: readonly PeerEvent[]): boolean {
    if (!this.isPolled) return this.#send(events);
    this.#polling.mark(events.filter((event) => !isDelivery(event)).length);
    try {
      return this.#send(events);
    } finally {
      this.#polling.unmark();
    }
  }

  #send(events: readonly PeerEvent[]): boolean {
    const { adapter } = this.#socket.nsp;
    if (isFanoutAdapter(adapter)) {
      return adapter.sendAll(
        this.#socket,
        events.map(({ name, argumentJson }) => [name, new EncodedArgument(argumentJson)]),
      );
    }
    const connection = this.#socket.conn as unknown as EngineConnection;
    if (this.#packets.of(connection) > 0) {
      this.#tellWhenEmpty(connection);
      return false;
    }
    for (const event of events) this.tell(event);
    return true;
  }

  /** A poll may take a part of what waits only. */
  #tellWhenEmpty(connection: EngineConnection): void {
    connection.once('drain', () => {
      if (this.#packets.of(connection) > 0) this.#tellWhenEmpty(connection);
      else this.#onRoom();
    });
  }

  end(): void {
    this.#socket.disconnect(true);
  }
}

export class RoomFanOut implements FanOut {
  readonly #names = { plain: new RoomNames('plain'), envelope: new RoomNames('envelope') };
  readonly #io: Server;
  readonly #polling: PollingResponses;
  readonly #logger: Logger;

  constructor(io: Server, polling: PollingResponses, logger: Logger) {
    this.#io = io;
    this.#polling = polling;
    this.#logger = logger;
  }

  send(audiences: readonly Audience[], form: Form, { name, argumentJson }: PeerEvent): number {
    const rooms = new Set<string>();
    const names = this.#names[form];
    for (const audience of audiences) rooms.add(names.of(audience));
    this.#polling.mark();
    let sent = 0;
    try {
      sent = this.#broadcast(rooms, [name, new EncodedArgument(argumentJson)]);
    } catch (err) {
      this.#logger.error({ err, audiences }, 'a delivery failed');
    }
    const polled = this.#polling.unmark();
    return Math.max(0, sent - polled);
  }

  #broadcast(rooms: Set<string>, data: readonly unknown[]): number {
    const { adapter } = this.#io.of('/');
    // What io.local.to(rooms).emit() comes to, without the objects that it makes on its way. Local: every server
    // of a cluster has the log's tail, so none may broadcast for another.
    const packet = { type: PacketType.EVENT, nsp: '/', data };
    const options = { rooms, except: new Set<string>(), flags: { local: true } };
    if (isFanoutAdapter(adapter)) return adapter.broadcast(packet, options);
    adapter.broadcast(packet, options);
    return membersOf(adapter, rooms);
  }

  get waitingBytes(): number {
    const { adapter, sockets } = this.#io.of('/');
    if (isFanoutAdapter(adapter)) return adapter.waitingBytes;
    let bytes = 0;
    for (const socket of sockets.values()) bytes += waitingBytesOf(socket);
    return bytes;
  }
}

/** How many sockets are in any of the rooms. */
function membersOf(
  { rooms: members }: { readonly rooms: ReadonlyMap<string, ReadonlySet<string>> },
  rooms: ReadonlySet<string>,
): number {
  const [room = ''] = rooms;
  if (rooms.size === 1) return members.get(room)?.size ?? 0;
  const found = new Set<string>();
  for (const one of rooms) for (const id of members.get(one) ?? []) found.add(id);
  return found.size;
}
