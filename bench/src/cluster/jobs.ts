/** Appends batches as fast as Redis answers. */
export interface AppendsJob {
  readonly kind: 'appends';
  /** The function `append`, or the one that only pushes. */
  readonly calls: 'append' | 'pushes';
  readonly redis: { readonly port: number; readonly pid: number };
  readonly batchMessages: number;
  readonly topics: number;
  /** How many messages a topic keeps. */
  readonly keepCount: number;
  readonly messageBytes: number;
  readonly warmUpMs: number;
  readonly stretchMs: number;
  readonly timeoutMs: number;
}

export interface AppendsFigures {
  /** CPU time for each message, in microseconds. */
  readonly redisUs: number;
  readonly messagesPerSecond: number;
  readonly waitingPercent: number;
  readonly loadPercent: number;
}

/** Appends batches at a steady rate to a log that a node follows. */
export interface FollowingJob {
  readonly kind: 'following';
  readonly follower: { readonly port: number; readonly pid: number };
  readonly redis: { readonly port: number; readonly pid: number };
  /** A process that only reads the channel of the log. */
  readonly readerPid: number;
  readonly messagesPerSecond: number;
  readonly batchMessages: number;
  readonly topics: number;
  readonly messageBytes: number;
  /** How long the node is measured without any message. */
  readonly idleMs: number;
  readonly warmUpMs: number;
  readonly stretchMs: number;
  readonly timeoutMs: number;
}

export interface FollowingFigures {
  /** CPU time for each message, in microseconds. */
  readonly followerUs: number;
  readonly readerUs: number;
  readonly redisUs: number;
  readonly messagesPerSecond: number;
  /** CPU time of the follower without messages, in per cent of a processor. */
  readonly idlePercent: number;
  readonly waitingPercent: number;
  readonly loadPercent: number;
  /** All messages, also those of the warm-up. */
  readonly published: number;
}

/** Publishes one message at a time, beside round trips of the same function of Redis. */
export interface AcknowledgementJob {
  readonly kind: 'acknowledgement';
  readonly redisPort: number;
  /** A node on this Redis, and a server without Redis. */
  readonly nodePort: number;
  readonly alonePort: number;
  readonly messageBytes: number;
  /** How many publishes of each kind follow one another, and how often the kinds take turns. */
  readonly perTurn: number;
  readonly turns: number;
  readonly warmUpTurns: number;
  readonly timeoutMs: number;
}

/** Each is the times of one kind, in milliseconds. */
export interface Times {
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** By the names of the rows in the table. */
export type AcknowledgementFigures = Readonly<Record<string, Times>>;

export type ClusterJob = AppendsJob | FollowingJob | AcknowledgementJob;

export type JobResult<Figures> =
  { readonly ok: true; readonly figures: Figures } | { readonly ok: false; readonly reason: string };
