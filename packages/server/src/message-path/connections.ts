import type { Rights } from '../access/rights.ts';
import { Connection, type ConnectionParts } from './accept.ts';
import type { Peer } from './subscription.ts';

/** The connections that there are. */
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

  #closed(connection: Connection): void {
    if (this.#open.get(connection.id) === connection) this.#open.delete(connection.id);
  }
}
