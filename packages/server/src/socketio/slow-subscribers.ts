import type { FanoutOptions, Overflow } from '@fanfare/fanout';
import type { Socket } from 'socket.io';
import type { Connection } from '../message-path/accept.ts';
import { subscriptionOf } from './rooms.ts';

/** Passes on what the fan-out tells about sockets that do not keep up to the connections that they belong to. */
export class SlowSubscribers implements Required<Pick<FanoutOptions, 'onOverflow' | 'onDrained'>> {
  readonly #connections: ReadonlyMap<Socket, Connection>;

  constructor(connections: ReadonlyMap<Socket, Connection>) {
    this.#connections = connections;
  }

  readonly onOverflow = (socket: Socket, rooms: ReadonlySet<string>): Overflow => {
    const connection = this.#connections.get(socket);
    for (const room of rooms) {
      const subscription = subscriptionOf(room);
      // What is no delivery cannot be read again, nor told as a gap.
      if (!connection || !subscription) return 'disconnect';
      connection.overflow(subscription.audience, subscription.form);
    }
    return 'drop';
  };

  readonly onDrained = (socket: Socket): void => this.#connections.get(socket)?.drained();
}
