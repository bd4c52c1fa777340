import type { Interest } from '@fanfare/protocol';
import type { Connection } from './accept.ts';
import type { State } from './deliver.ts';
import type { Subscription } from './subscription.ts';

/** A connection as it is told to whoever asks. */
export interface ConnectionInfo {
  readonly id: string;
  readonly transport: string;
  readonly address: string;
  /** Absent where no token was asked for. */
  readonly subject?: string;
  /** When it came, in milliseconds since 1970. */
  readonly since: number;
  readonly subscriptions: number;
  /** How many of them are not live. */
  readonly catchingUp: number;
  /** What waits for it. */
  readonly bytesWaiting: number;
}

/** One of its subscriptions. */
export interface SubscribedInfo {
  readonly topic: Interest;
  readonly envelope: boolean;
  /** When it was made, in milliseconds since 1970. */
  readonly since: number;
  readonly state: State;
}

/** Somebody who gets what is published to a topic. */
export interface SubscriberInfo {
  /** The connection's id. */
  readonly connection: string;
  readonly subject?: string;
  readonly address: string;
  readonly transport: string;
  /** The topic or pattern subscribed. */
  readonly via: Interest;
  readonly envelope: boolean;
  readonly since: number;
  readonly state: State;
  /** What waits for the connection. */
  readonly bytesWaiting: number;
}

export function describeConnection(connection: Connection): ConnectionInfo {
  let subscriptions = 0;
  let catchingUp = 0;
  for (const { state } of connection.subscriptions()) {
    subscriptions++;
    if (state !== 'live') catchingUp++;
  }
  const { id, transport, address, waitingBytes: bytesWaiting } = connection.peer;
  const { since } = connection;
  return { id, transport, address, ...subjectOf(connection), since, subscriptions, catchingUp, bytesWaiting };
}

export function describeSubscribed(subscription: Subscription): SubscribedInfo {
  const { interest: topic, form, since } = subscription;
  return { topic, envelope: form === 'envelope', since, state: subscription.state };
}

export function describeSubscriber(connection: Connection, subscription: Subscription): SubscriberInfo {
  const { id, transport, address, waitingBytes: bytesWaiting } = connection.peer;
  const { topic: via, ...rest } = describeSubscribed(subscription);
  return { connection: id, ...subjectOf(connection), address, transport, via, ...rest, bytesWaiting };
}

function subjectOf({ rights }: Connection): { readonly subject?: string } {
  const { subject } = rights.identity;
  return subject === undefined ? {} : { subject };
}
