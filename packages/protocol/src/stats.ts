/** Event-loop delay of the last seconds: how late timers fired, in milliseconds. */
export interface LoopDelay {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** The size of the log, in bytes. */
export interface LogSize {
  /** The storage of the messages. */
  readonly kind: 'disk' | 'memory';
  readonly bytes: number;
  /** Present if the log has a limit of its own. */
  readonly bytesMax?: number;
}

/** Gauges of the present, and totals since the server started. */
export interface Figures {
  readonly connections: number;
  readonly subscriptions: number;
  /** Total of accepted messages. */
  readonly publishes: number;
  /** Total of deliveries. A message counts once for each connection and form that received it. */
  readonly deliveries: number;
  /** Bytes that wait for connections. Bytes that wait for several connections count once. */
  readonly bytesWaiting: number;
  /** The number of subscriptions that are not live. */
  readonly catchingUp: number;
}

/** The state of one server process. Times are in milliseconds since 1970. */
export interface NodeStats extends Figures {
  /** The id of the node. Empty if the server is the only one. */
  readonly id: string;
  readonly time: number;
  readonly startedAt: number;
  readonly version: string;
  readonly loopDelayMs: LoopDelay;
}

/** The state of the webhook of a rule. Totals count since the server started. */
export interface WebhookStats {
  /** The `match` of the rule. */
  readonly match: string;
  /** Scheme, host and port of its URL. */
  readonly origin: string;
  /** `failing`: the last attempt failed. `gone`: the receiver answered 410, and no more attempts are made. */
  readonly state: 'delivering' | 'failing' | 'gone';
  /** Total of requests that the receiver accepted. */
  readonly delivered: number;
  /** Total of requests that failed. */
  readonly failures: number;
  /** The number of messages and events in memory that are not delivered. The log may have more messages. */
  readonly waiting: number;
  /** The time of the oldest of them, in milliseconds since 1970. */
  readonly waitingSince?: number;
  /** How many times messages were dropped from the log before they were delivered. */
  readonly gaps: number;
  /** Total of events that were dropped because too many waited. */
  readonly eventsDropped: number;
  /** All messages up to this offset are delivered. Absent if the webhook wants no messages. */
  readonly offset?: string;
  readonly lastFailure?: { readonly time: number; readonly reason: string };
}

/**
 * The response to `GET /stats` (PROTOCOL.md 5.11). The figures are sums over all nodes. `time`, `startedAt`,
 * `version` and `loopDelayMs` are those of the server that responds.
 */
export interface Stats extends Omit<NodeStats, 'id'> {
  readonly topics: number;
  readonly log: LogSize;
  /** Present if rules have webhooks. */
  readonly webhooks?: readonly WebhookStats[];
  /** Each node that shares the log. Absent if the server has a log of its own. */
  readonly nodes?: readonly NodeStats[];
  /** The ids of nodes that did not answer. Their figures are missing. */
  readonly silent?: readonly string[];
}
