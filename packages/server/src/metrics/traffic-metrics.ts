import type { AuthenticationCounts } from '../access/access.ts';
import type { PathFigures } from '../message-path/message-path.ts';
import type { RefusalCounts } from '../observability/unexpected-failure.ts';
import { counter, gauge, known, type Family } from './family.ts';

export interface TrafficFigures {
  readonly path: PathFigures;
  readonly refusals: Readonly<RefusalCounts>;
  /** Undefined if clients need neither a token nor a login. */
  readonly authentications: Pick<AuthenticationCounts, 'accepted' | 'refused'> | undefined;
  /** The sessions of Socket.IO, also of clients that have not logged in. */
  readonly sessions: number;
  readonly limits: { readonly connectionsMax: number; readonly outboxTotalBytesMax: number };
}

/** The transports that a server of our own has. An app's own Socket.IO server can have others. */
const transports = ['websocket', 'polling', 'stream', 'program'] as const;

/** Messages, clients, and what is refused. */
export function trafficMetrics({
  path,
  refusals,
  authentications,
  sessions,
  limits,
}: TrafficFigures): readonly Family[] {
  const byTransport = new Map<string, number>(transports.map((name) => [name, 0]));
  for (const [name, count] of path.byTransport) byTransport.set(name, count);
  return known([
    counter('fanfare_publishes_total', 'Messages that the log has accepted from clients.', path.publishes),
    counter(
      'fanfare_rule_publishes_total',
      'Messages that the log has accepted, by the pattern of the rule of their topic.',
      { label: 'rule', values: [...path.byRule].map(([rule, { publishes }]) => [rule, publishes]) },
    ),
    counter(
      'fanfare_duplicate_publishes_total',
      'Publishes that repeated an id and made no second message.',
      path.duplicates,
    ),
    counter('fanfare_deliveries_total', 'Messages that were sent to subscribers.', path.deliveries),
    counter('fanfare_gaps_total', 'Times that a subscriber was told that messages are missing.', path.gaps),
    counter('fanfare_refusals_total', 'Requests that were refused, by the code of the error.', {
      label: 'code',
      values: Object.entries(refusals),
    }),
    authentications &&
      counter('fanfare_authentications_total', 'Checks of tokens and logins, by their result.', {
        label: 'result',
        values: [['accepted', authentications.accepted], ...authentications.refused],
      }),
    gauge('fanfare_connections', 'Clients that are connected, by their transport.', {
      label: 'transport',
      values: byTransport,
    }),
    gauge('fanfare_sessions', 'Sessions of Socket.IO, also of clients that have not logged in.', sessions),
    gauge('fanfare_connections_limit', 'The setting connectionsMax.', limits.connectionsMax),
    gauge('fanfare_subscriptions', 'Subscriptions, by their state.', {
      label: 'state',
      values: [
        ['live', path.live],
        ['catching_up', path.catchingUp],
      ],
    }),
    gauge(
      'fanfare_lag_messages',
      'Messages in the log after the place of the subscription that is furthest behind.',
      path.lag,
    ),
    gauge('fanfare_waiting_bytes', 'Bytes that wait for slow clients.', path.waitingBytes),
    gauge('fanfare_waiting_limit_bytes', 'The setting outboxTotalBytesMax.', limits.outboxTotalBytesMax),
  ]);
}
