import type { LogFigures } from '../log/log-figures.ts';
import type { LogUsage } from '../log/topic-log.ts';
import { counter, gauge, histogram, known, type Family } from './family.ts';

export interface LogMetricsInput {
  readonly figures: LogFigures;
  /** Undefined if the log cannot be asked at the moment. */
  readonly usage: LogUsage | undefined;
  readonly freeBytes: number | undefined;
  /** The number of nodes that share the log. Undefined if no others can. */
  readonly nodes: number | undefined;
  readonly limits: { readonly topicsMax: number; readonly idsMax: number; readonly waitingBytesMax: number };
}

/** The log: commits, its size, what is removed, and Redis. */
export function logMetrics({ figures, usage, freeBytes, nodes, limits }: LogMetricsInput): readonly Family[] {
  const { commits, waitingBytes, disk, retention, ids, redis } = figures;
  return known([
    histogram(
      'fanfare_commit_duration_seconds',
      'Time from the beginning of a commit until its messages are stored. On Redis, a commit is a batch.',
      commits.seconds,
    ),
    histogram('fanfare_commit_messages', 'Messages in a commit.', commits.messages),
    counter('fanfare_commit_failures_total', 'Commits that failed.', commits.failures),
    disk &&
      histogram(
        'fanfare_fsync_duration_seconds',
        'Time in which the disk takes a commit: the writes of LMDB and their fsync.',
        disk.syncSeconds,
      ),
    gauge('fanfare_log_waiting_bytes', 'Bytes of messages that wait for a commit.', waitingBytes),
    gauge('fanfare_log_waiting_limit_bytes', 'The limit of waiting bytes.', limits.waitingBytesMax),
    usage && gauge('fanfare_log_bytes', 'Size of the log. On Redis, all memory of Redis.', usage.bytes),
    usage?.bytesMax !== undefined &&
      gauge('fanfare_log_limit_bytes', 'The limit of the size of the log.', usage.bytesMax),
    freeBytes !== undefined &&
      gauge('fanfare_disk_free_bytes', 'Free space on the disk of the data directory.', freeBytes),
    usage && gauge('fanfare_topics', 'Topics in the log.', usage.topics),
    gauge('fanfare_topics_limit', 'The setting topicsMax.', limits.topicsMax),
    retention &&
      counter(
        'fanfare_removed_messages_total',
        'Messages that were removed from the log by rules or with their topic.',
        retention.removedMessages,
      ),
    retention &&
      gauge('fanfare_retention_due_topics', 'Topics with messages to remove.', retention.dueTopics),
    ids !== undefined && gauge('fanfare_ids', 'Ids of publishes that are remembered.', ids),
    ids !== undefined && gauge('fanfare_ids_limit', 'The limit of remembered ids.', limits.idsMax),
    redis && gauge('fanfare_redis_up', 'Whether Redis answers: 1 or 0.', redis.isUp ? 1 : 0),
    redis &&
      counter(
        'fanfare_redis_lost_connections_total',
        'Connections to Redis that were lost.',
        redis.lostConnections,
      ),
    nodes !== undefined && gauge('fanfare_nodes', 'Nodes that are alive, as this node sees it.', nodes),
  ]);
}
