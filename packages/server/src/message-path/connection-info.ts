import type { ConnectionInfo, SubscribedInfo, SubscriberInfo } from '@fanfare/protocol';
import type { Connection } from './connection.ts';
import type { Subscription } from './subscription.ts';

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
