import { Histogram } from '../observability/histogram.ts';

/** What commits have cost since the log was opened. A commit to Redis is a batch. */
export class CommitFigures {
  /** From the beginning of a commit until its messages are stored. */
  readonly seconds: Histogram = Histogram.ofSeconds();
  /** The number of messages of each commit. */
  readonly messages: Histogram = Histogram.ofCounts();
  /** Commits that failed. */
  failures = 0;

  note(messages: number, ms: number): void {
    this.seconds.note(ms / 1_000);
    this.messages.note(messages);
  }
}

/** What a log measures for operators. All of it is this server's own. */
export interface LogFigures {
  readonly commits: CommitFigures;
  /** The bytes that wait for a commit. */
  readonly waitingBytes: number;
  /** Only if this server has the log on its own disk. */
  readonly disk?: DiskFigures;
  /** Only if this server removes messages itself. */
  readonly retention?: RetentionFigures;
  /** The number of remembered ids, if this server remembers them. */
  readonly ids?: number;
  /** Only if the log is on Redis. */
  readonly redis?: RedisFigures;
}

export interface DiskFigures {
  /** The time in which LMDB writes a commit and the disk confirms it. */
  readonly syncSeconds: Histogram;
  /** Resolves to the free space of the disk, for this user. Undefined if the system does not say. */
  freeBytes(): Promise<number | undefined>;
}

export interface RetentionFigures {
  /** The number of messages that were removed since the log was opened. */
  readonly removedMessages: number;
  /** The number of topics that have something to remove. */
  readonly dueTopics: number;
}

export interface RedisFigures {
  /** Whether Redis answers, and new messages come from it. */
  readonly isUp: boolean;
  /** How often a connection to Redis was lost. */
  readonly lostConnections: number;
}
