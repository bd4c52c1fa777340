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
  readonly topics: number;
  /** Total of accepted messages. */
  readonly publishes: number;
  /** Total of deliveries. A message counts once for each connection and form that received it. */
  readonly deliveries: number;
  /** Bytes that wait for connections. Bytes that wait for several connections count once. */
  readonly bytesWaiting: number;
  /** The number of subscriptions that are not live. */
  readonly catchingUp: number;
  readonly log: LogSize;
}

/** The response to `GET /stats` (PROTOCOL.md 5.11). Times are in milliseconds since 1970. */
export interface Stats extends Figures {
  readonly time: number;
  readonly startedAt: number;
  readonly version: string;
  readonly loopDelayMs: LoopDelay;
}
