import type { Topic } from '@fanfare/protocol';
import type { Rule } from '../../rules/rule.ts';
import type { Chunk, TopicNumber, TopicRecord } from '../store/store.ts';
import type { LruNode } from './lru-list.ts';

/** The oldest chunk of a topic that the store has. */
export interface OldestChunk {
  readonly block: number;
  readonly time: number;
  /** Of its last record. */
  readonly lastOrdinal: number;
  readonly bytesBefore: number;
}

export function oldestOf({ block, time, ordinal, bytesBefore, records }: Chunk): OldestChunk {
  return { block, time, lastOrdinal: ordinal + records.length - 1, bytesBefore };
}

/** A topic as the log has it in memory. Only commits that succeeded change it, but for `trimmed`. */
export interface TopicEntry {
  readonly number: TopicNumber;
  readonly name: Topic;
  readonly rule: Rule;
  /** The log's head when it came to be, or began to keep messages. */
  readonly createdAt: number;
  /** The log's head when it came to be, if that was since the log was opened; else -1. */
  readonly bornAt: number;
  /** The authenticated subject that made it, if that was since the log was opened. */
  readonly subject: string | undefined;
  isDeclared: boolean;
  isDeleted: boolean;
  /** Whether the store has its record. */
  isSaved: boolean;
  /** How many messages it has had, and their bytes, those that are gone included. */
  count: number;
  bytes: number;
  /** Of its newest message; 0 when it never had one. */
  lastSequence: number;
  /** How many messages came since the log was opened, stored or not. */
  published: number;
  /** Of the newest message that came since, or that the store had then. */
  lastTime: number;
  /** The ordinal of the newest message that is not kept any more. What the store still has of those is not read. */
  trimmed: number;
  /** How many bytes those are that are not kept any more: at least so many. */
  bytesTrimmed: number;
  /** A number that grows with every trim of any topic: when this one was trimmed last. */
  trimmedAt: number;
  oldest: OldestChunk | undefined;
  /** What was removed from the store. */
  gone: TopicRecord['gone'];
  /** Where it is among the unused names, and among those of its subject, if it is one. */
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
