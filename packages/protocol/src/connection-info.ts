import type { SubscriptionState } from './subscription.ts';

/** A connection, as `GET /connections` lists it (PROTOCOL.md 5.12). Times are in milliseconds since 1970. */
export interface ConnectionInfo {
  readonly id: string;
  /** `websocket`, `polling`, `stream` or `program`. */
  readonly transport: string;
  /** The id of its node. Absent if the server has a log of its own. */
  readonly node?: string;
  /** IP address of the client. Empty if the connection has none. */
  readonly address: string;
  /** Subject of the client's token. Absent on an open server. */
  readonly subject?: string;
  /** The time when the connection was opened. */
  readonly since: number;
  readonly subscriptions: number;
  /** The number of its subscriptions that are not live. */
  readonly catchingUp: number;
  /** Bytes that wait for it. */
  readonly bytesWaiting: number;
}

/** A subscription of one connection (PROTOCOL.md 5.12). */
export interface SubscribedInfo {
  /** The topic or pattern subscribed. */
  readonly topic: string;
  readonly envelope: boolean;
  /** The time when it was made, in milliseconds since 1970. */
  readonly since: number;
  readonly state: SubscriptionState;
}

/** The response to `GET /connections/{id}` (PROTOCOL.md 5.12). */
export interface ConnectionDetails extends ConnectionInfo {
  readonly subscribed: readonly SubscribedInfo[];
}

/** The response to `GET /connections`. `cursor` is present if there is another page. */
export interface ConnectionPage {
  readonly connections: readonly ConnectionInfo[];
  readonly cursor?: string;
  /** The ids of nodes that did not answer. Their connections are missing. */
  readonly silent?: readonly string[];
}

/** A subscription that gets the messages of one topic (PROTOCOL.md 5.14). */
export interface SubscriberInfo {
  /** Id of its connection. */
  readonly connection: string;
  /** Subject of the client's token. Absent on an open server. */
  readonly subject?: string;
  readonly address: string;
  /** `websocket`, `polling`, `stream` or `program`. */
  readonly transport: string;
  /** The topic or pattern subscribed. */
  readonly via: string;
  readonly envelope: boolean;
  /** The time when the subscription was made, in milliseconds since 1970. */
  readonly since: number;
  readonly state: SubscriptionState;
  /** Bytes that wait for its connection. */
  readonly bytesWaiting: number;
}

/** The response to `GET /subscribers`. `cursor` is present if there is another page. */
export interface SubscriberPage {
  readonly subscribers: readonly SubscriberInfo[];
  readonly cursor?: string;
  /** The ids of nodes that did not answer. Their subscribers are missing. */
  readonly silent?: readonly string[];
}
