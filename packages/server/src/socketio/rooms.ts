import type { Form, Topic } from '@fanfare/protocol';
import type { Server, Socket } from 'socket.io';
import { PacketType } from 'socket.io-parser';
import type { Peer } from '../message-path/accept.ts';
import type { FanOut } from '../message-path/deliver.ts';
import type { Logger } from '../observability/logger.ts';
import { EncodedArgument } from './encoded-argument.ts';

/** Keeps Fanfare's rooms apart from the room that every socket is in under its own id, and from an app's rooms. */
const prefix = 'fanfare:';

/** The Socket.IO room of a topic's subscribers in one form. */
function roomOf(topic: Topic, form: Form): string {
  return `${prefix}${form}:${topic}`;
}

/** The topic and the form of one of Fanfare's rooms; undefined for any other room. */
export function subscriptionOf(room: string): { readonly topic: Topic; readonly form: Form } | undefined {
  for (const form of ['plain', 'envelope'] as const) {
    const start = roomOf('' as Topic, form);
    if (room.startsWith(start)) return { topic: room.slice(start.length) as Topic, form };
  }
  return undefined;
}

export class SocketPeer implements Peer {
  readonly #socket: Socket;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** Leaves rooms that a connection before this one was in: an app's Socket.IO server may restore them. */
  leaveRestored(): void {
    for (const room of this.#socket.rooms) if (room.startsWith(prefix)) void this.#socket.leave(room);
  }

  join(topic: Topic, form: Form): void {
    void this.#socket.join(roomOf(topic, form));
  }

  leave(topic: Topic, form: Form): void {
    void this.#socket.leave(roomOf(topic, form));
  }

  gap(topic: Topic, form: Form, dropped: number): void {
    this.#socket.emit('gap', { topic, dropped, envelope: form === 'envelope' });
  }
}

export class RoomFanOut implements FanOut {
  readonly #io: Server;
  readonly #logger: Logger;

  constructor(io: Server, logger: Logger) {
    this.#io = io;
    this.#logger = logger;
  }

  send(topic: Topic, form: Form, event: string, argumentJson: string): void {
    try {
      // What io.local.to(room).emit() comes to, without the objects that it makes on its way. Local: every server
      // of a cluster has the log's tail, so none may broadcast for another.
      this.#io
        .of('/')
        .adapter.broadcast(
          { type: PacketType.EVENT, data: [event, new EncodedArgument(argumentJson)] },
          { rooms: new Set([roomOf(topic, form)]), except: new Set(), flags: { local: true } },
        );
    } catch (err) {
      this.#logger.error({ err, topic }, 'a delivery failed');
    }
  }
}
