import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  isReservedTopic,
  type ConnectionDetails,
  type ConnectionInfo,
  type Offset,
  type SubscriberInfo,
  type Topic,
} from '@fanfare/protocol';
import type { Identity } from '../access/identity.ts';
import type { Rights } from '../access/rights.ts';
import { Pacer } from '../limits/pacer.ts';
import type { Part, SubscriberPlace } from '../nodes/cluster.ts';
import type { Audience } from '../subscriptions/audience.ts';
import { Connection, type ConnectionParts } from './connection.ts';
import { describeConnection, describeSubscribed, describeSubscriber } from './connection-info.ts';
import type { Peer } from './peer.ts';
import type { Subscription } from './subscription.ts';

/** The figures of all connections. */
export interface ConnectionFigures {
  /** The number of connections by their transport. */
  readonly byTransport: ReadonlyMap<string, number>;
  /** How many places of the log the subscription that is furthest behind has not got yet. */
  readonly lag: number;
}

/** How many connections get rights anew in one turn of the event loop. */
const renewedPerTurn = 16;

/**
 * The register of all connections: of Socket.IO, of streams and of the app. Accepts, lists and ends them.
 */
export class Connections {
  readonly #parts: ConnectionParts;
  /** The connections, by the ids of their peers, in the order in which they were accepted. */
  readonly #open = new Map<string, Connection>();
  #accepted = 0;
  #rightsOf: ((identity: Identity) => Rights) | undefined;

  constructor(parts: Omit<ConnectionParts, 'onClosed'>) {
    this.#parts = { ...parts, onClosed: (connection) => this.#closed(connection) };
  }

  /** The connection of a peer, by the peer's id. */
  of(peerId: string): Connection | undefined {
    return this.#open.get(peerId);
  }

  get size(): number {
    return this.#open.size;
  }

  /** Counts the connections. The event loop turns meanwhile, because there can be many. */
  async figures(): Promise<ConnectionFigures> {
    const { log } = this.#parts;
    const byTransport = new Map<string, number>();
    let lag = 0;
    const pacer = new Pacer();
    for (const connection of this.#open.values()) {
      const { transport } = connection.peer;
      byTransport.set(transport, (byTransport.get(transport) ?? 0) + 1);
      for (const subscription of connection.subscriptions()) {
        if (subscription.state === 'live') continue;
        const { epoch, sequence } = subscription.place;
        if (epoch === log.epoch) lag = Math.max(lag, log.head - sequence);
      }
      if (pacer.isDue) await pacer.yield();
    }
    return { byTransport, lag };
  }

  accept(peer: Peer, rights: Rights): Connection {
    const connection = new Connection(
      ++this.#accepted,
      peer,
      this.#rightsOf?.(rights.identity) ?? rights,
      this.#parts,
    );
    this.#open.set(peer.id, connection);
    return connection;
  }

  /**
   * Lists connections in the order in which they were accepted.
   *
   * @param after - a `next` of before, or 0
   */
  list(limit: number, after: number): Part<ConnectionInfo, number> {
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

  /** Returns null if there is no such connection. */
  details(id: string): ConnectionDetails | null {
    const connection = this.#open.get(id);
    if (!connection) return null;
    const subscribed = Array.from(connection.subscriptions(), describeSubscribed);
    return { ...describeConnection(connection), subscribed };
  }

  /** Ends a connection. @returns whether there was one */
  end(id: string): boolean {
    const connection = this.#open.get(id);
    connection?.peer.end();
    return connection !== undefined;
  }

  /**
   * Lists the subscriptions that receive the messages of a topic: those to the topic, and those to matching
   * patterns. Their order is the order in which their connections were accepted.
   *
   * @param after - a `next` of before
   */
  async subscribersOf(
    topic: Topic,
    limit: number,
    after: SubscriberPlace,
  ): Promise<Part<SubscriberInfo, SubscriberPlace>> {
    const items: SubscriberInfo[] = [];
    let last = after;
    let audiences = this.#audiencesOf(topic);
    const pacer = new Pacer();
    for (const connection of this.#open.values()) {
      const { number } = connection;
      if (number < after.connection) continue;
      for (const [name, subscription] of matching(connection, audiences)) {
        if (subscription.form === 'plain' && isReservedTopic(topic)) continue;
        if (number === after.connection && name <= after.subscription) continue;
        if (items.length === limit) return { items, next: last };
        items.push(describeSubscriber(connection, subscription));
        last = { connection: number, subscription: name };
      }
      if (!pacer.isDue) continue;
      await pacer.yield();
      audiences = this.#audiencesOf(topic);
    }
    return { items };
  }

  /**
   * Gives all connections rights anew, after the rules have changed. Subscriptions that are no longer allowed
   * end. Until a connection is reached, it has its old rights.
   *
   * @param rightsOf - also gives rights to connections whose login began before
   */
  async renewAll(rightsOf: (identity: Identity) => Rights): Promise<void> {
    this.#rightsOf = rightsOf;
    let started = 0;
    const last = this.#accepted;
    for (const connection of this.#open.values()) {
      // It came meanwhile, and has the new rights already.
      if (connection.number > last) break;
      // Not awaited: the commands of one client must not delay the others.
      connection
        .renew(async () => rightsOf(connection.rights.identity))
        // Too many of its commands wait. It must not keep its old rights.
        .catch(() => connection.peer.end());
      if (++started % renewedPerTurn === 0) await nextTurn();
    }
  }

  /** Messages that are not stored may have been missed: subscriptions that may want them learn it. */
  miss(): void {
    for (const subscription of this.#subscriptions()) subscription.miss();
  }

  /** The tail of the log continues elsewhere: all live subscriptions read the log from the given place. */
  fallBehind(place: Offset): void {
    for (const subscription of this.#subscriptions()) subscription.fallBehind(place);
  }

  *#subscriptions(): Generator<Subscription, void, undefined> {
    for (const connection of this.#open.values()) yield* connection.subscriptions();
  }

  #audiencesOf(topic: Topic): ReadonlySet<Audience> {
    return new Set(this.#parts.index.matching(topic));
  }

  #closed(connection: Connection): void {
    if (this.#open.get(connection.peer.id) === connection) this.#open.delete(connection.peer.id);
  }
}

/**
 * The subscriptions of a connection that belong to any of the audiences, in the order of their names here.
 */
function matching(
  connection: Connection,
  audiences: ReadonlySet<Audience>,
): readonly (readonly [name: string, subscription: Subscription])[] {
  const found: (readonly [string, Subscription])[] = [];
  for (const subscription of connection.subscriptions()) {
    const { audience, form, interest } = subscription;
    if (audiences.has(audience)) found.push([`${form} ${interest}`, subscription]);
  }
  return found.length < 2 ? found : found.toSorted(([a], [b]) => (a < b ? -1 : 1));
}
