import { FanfareError } from '@fanfare/protocol';
import type { Rights } from '../access/rights.ts';
import { Connection, type ConnectionParts } from './accept.ts';
import {
  describeConnection,
  describeSubscribed,
  type ConnectionInfo,
  type SubscribedInfo,
} from './connection-info.ts';
import { permitManaging } from './permit.ts';
import type { Peer } from './subscription.ts';

/** Some of what there is, in its order. */
export interface Part<T, Place> {
  readonly items: readonly T[];
  /** Where the next part begins, if there is more. */
  readonly next?: Place;
}

/** The connections that there are: accepting, telling and ending them. */
export class Connections {
  readonly #parts: ConnectionParts;
  /** By their ids, in the order in which they came. */
  readonly #open = new Map<string, Connection>();
  #accepted = 0;

  constructor(parts: Omit<ConnectionParts, 'onClosed'>) {
    this.#parts = { ...parts, onClosed: (connection) => this.#closed(connection) };
  }

  get size(): number {
    return this.#open.size;
  }

  accept(peer: Peer, rights: Rights): Connection {
    const connection = new Connection(++this.#accepted, peer, rights, this.#parts);
    this.#open.set(peer.id, connection);
    return connection;
  }

  /**
   * In the order in which they came.
   *
   * @param after - a `next` of before
   * @throws FanfareError `not_authorized`
   */
  list(rights: Rights, limit: number, after = 0): Part<ConnectionInfo, number> {
    permitManaging(rights);
    const items: ConnectionInfo[] = [];
    let last = after;
    for (const connection of this.#open.values()) {
      if (connection.number <= after) continue;
      if (items.length === limit) return { items, next: last };
      items.push(describeConnection(connection));
      last = connection.number;
    }
    return { items };
  }

  /** @throws FanfareError `not_authorized`, `connection_not_found` */
  get(rights: Rights, id: string): ConnectionInfo & { readonly subscribed: readonly SubscribedInfo[] } {
    const connection = this.#find(rights, id);
    const subscribed = Array.from(connection.subscriptions(), describeSubscribed);
    return { ...describeConnection(connection), subscribed };
  }

  /** Ends a connection. @throws FanfareError `not_authorized`, `connection_not_found` */
  end(rights: Rights, id: string): void {
    this.#find(rights, id).peer.end();
  }

  #find(rights: Rights, id: string): Connection {
    permitManaging(rights);
    const connection = this.#open.get(id);
    if (connection) return connection;
    throw new FanfareError('connection_not_found', 'There is no such connection; it may have ended.');
  }

  #closed(connection: Connection): void {
    if (this.#open.get(connection.peer.id) === connection) this.#open.delete(connection.peer.id);
  }
}
