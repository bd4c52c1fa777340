import { isFanoutAdapter, waitingBytesOf } from '@fanfare/fanout';
import type { Form } from '@fanfare/protocol';
import type { Server, Socket } from 'socket.io';
import { PacketType } from 'socket.io-parser';
import type { Connection } from '../message-path/connection.ts';
import type { FanOut } from '../message-path/fan-out.ts';
import type { Audience, LiveEvent } from '../message-path/peer-events.ts';
import type { Logger } from '../observability/logger.ts';
import { EncodedArgument } from './encoded-argument.ts';

/**
 * The prefix of Fanfare's rooms. It separates them from the app's rooms, and from the room of each socket
 * with its own id.
 */
const prefix = 'fanfare:';

/** The Socket.IO room of all sockets that have joined an audience in one form. */
export function roomOf({ name }: Pick<Audience, 'name'>, form: Form): string {
  return `${prefix}${form}:${name}`;
}

/** The size of the cache of names. */
const roomsMax = 4_096;

/**
 * A cache of room names. To build and hash a name for each message would cost more than the rest of its
 * broadcast.
 */
class RoomNames {
  readonly #names = new Map<string, string>();
  readonly #form: Form;

  constructor(form: Form) {
    this.#form = form;
  }

  of(audience: Audience): string {
    let room = this.#names.get(audience.name);
    if (room === undefined) {
      if (this.#names.size >= roomsMax) this.#names.clear();
      this.#names.set(audience.name, (room = roomOf(audience, this.#form)));
    }
    return room;
  }
}

/** Informs connections when their sockets have space again. @returns a function that stops this */
export function watchDrained(
  io: Server,
  connectionOf: (socket: Socket) => Connection | undefined,
): () => void {
  const { adapter } = io.of('/');
  const onDrained = (socket: Socket): void => connectionOf(socket)?.drained();
  // With other adapters, SocketPeer finds out when there is space.
  if (isFanoutAdapter(adapter)) adapter.on('drained', onDrained);
  return () => void adapter.off('drained', onDrained);
}

export class RoomFanOut implements FanOut {
  readonly #names = { plain: new RoomNames('plain'), envelope: new RoomNames('envelope') };
  readonly #io: Server;
  readonly #logger: Logger;

  constructor(io: Server, logger: Logger) {
    this.#io = io;
    this.#logger = logger;
  }

  broadcast(event: LiveEvent): number {
    const rooms = new Set<string>();
    const names = this.#names[event.form];
    for (const audience of event.audiences) rooms.add(names.of(audience));
    try {
      return this.#broadcast(rooms, [event.name, new EncodedArgument(event.argumentJson)]);
    } catch (err) {
      const audiences = event.audiences.map(({ name }) => name);
      this.#logger.error({ err, audiences }, 'a delivery failed');
      return 0;
    }
  }

  #broadcast(rooms: Set<string>, data: readonly unknown[]): number {
    const { adapter } = this.#io.of('/');
    // Does the same as io.local.to(rooms).emit(), and allocates less. Local: every server of a cluster has
    // the log's tail, so no server may broadcast for another.
    const packet = { type: PacketType.EVENT, nsp: '/', data };
    const options = { rooms, except: new Set<string>(), flags: { local: true } };
    if (isFanoutAdapter(adapter)) return adapter.broadcast(packet, options);
    adapter.broadcast(packet, options);
    return membersOf(adapter, rooms);
  }

  async ready(): Promise<void> {
    const { adapter } = this.#io.of('/');
    if (isFanoutAdapter(adapter)) await adapter.ready();
  }

  get waitingBytes(): number {
    const { adapter, sockets } = this.#io.of('/');
    if (isFanoutAdapter(adapter)) return adapter.waitingBytes;
    let bytes = 0;
    for (const socket of sockets.values()) bytes += waitingBytesOf(socket);
    return bytes;
  }
}

/** The number of sockets in any of the rooms. */
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
