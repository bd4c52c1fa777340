import type { Topic } from '@fanfare/protocol';
import type { Rule } from '../../rules/rule.ts';
import type { Chunk, TopicNumber, TopicRecord } from '../store/store.ts';
import type { LruNode } from './lru-list.ts';

/** The oldest chunk of a topic in the store. */
export interface OldestChunk {
  readonly block: number;
  readonly time: number;
  /** The ordinal of its last record. */
  readonly lastOrdinal: number;
  readonly bytesBefore: number;
}

export function oldestOf({ block, time, ordinal, bytesBefore, records }: Chunk): OldestChunk {
  return { block, time, lastOrdinal: ordinal + records.length - 1, bytesBefore };
}

/** A topic in memory. Only successful commits change it, except for `trimmed`. */
export interface TopicEntry {
  readonly number: TopicNumber;
  readonly name: Topic;
  rule: Rule;
  /** The head of the log when the topic was created, or began to keep messages. */
  createdAt: number;
  /** The head of the log when the topic was created, if that was since the log was opened; else -1. */
  readonly bornAt: number;
  /** The authenticated subject that created the topic, if that was since the log was opened. */
  readonly subject: string | undefined;
  isDeclared: boolean;
  isDeleted: boolean;
  /** Whether the store has the topic's record. */
  isSaved: boolean;
  /** Whether the store has a record that is out of date. The next message or chore writes it. */
  isOutdated: boolean;
  /** The number of messages that the topic has had, and their size. Dropped messages count. */
  count: number;
  bytes: number;
  /** The sequence of the newest message; 0 if there never was one. */
  lastSequence: number;
  /** The number of messages that were appended since the log was opened, stored or not. */
  published: number;
  /** The time of the newest message since then, or of the newest one in the store. */
  lastTime: number;
  /**
   * The ordinal of the newest message that is no longer kept. It cannot be read, even if the store still has
   * it.
   */
  trimmed: number;
  /** The minimum size of the messages that are no longer kept. */
  bytesTrimmed: number;
  /** The value of the table's change counter when this topic was last trimmed. */
  trimmedAt: number;
  oldest: OldestChunk | undefined;
  /** The totals of the messages that were removed from the store. */
  gone: TopicRecord['gone'];
  /** The topic's nodes in the lists of unused names, of the log and of its subject, if it is one. */
  unusedNode: LruNode<TopicEntry> | undefined;
  subjectNode: LruNode<TopicEntry> | undefined;
}

export function keeps(entry: TopicEntry): boolean {
  return entry.rule.keep !== 'none';
}

export function recordOf(entry: TopicEntry): TopicRecord {
  const { number, name, isDeclared, isDeleted, createdAt, gone } = entry;
  return { number, name, isDeclared, isDeleted, createdAt, keeps: keeps(entry), gone };
}
