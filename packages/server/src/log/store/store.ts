import type { Stored, Topic } from '@fanfare/protocol';
import { LogUnwritableError, type Revocation } from '../topic-log.ts';

/** The number of a topic in a store, from 1. It is never used for another topic. */
export type TopicNumber = number;

/** One stored message. */
export interface ChunkRecord {
  readonly sequence: number;
  readonly messageJson: string;
  readonly id?: string;
  readonly publisher?: string;
}

/** The records of one topic in one block. A store writes, reads and deletes them as a whole. */
export interface Chunk {
  readonly topic: TopicNumber;
  /** The sequence of the block's first record. With the topic's number it identifies the chunk. */
  readonly block: number;
  /** The ordinal of the first record: the number of the message in its topic, from 1. */
  readonly ordinal: number;
  /** The size of the topic's earlier messages (JSON text as UTF-8), dropped ones included. */
  readonly bytesBefore: number;
  /** The timestamp of the block's commit. */
  readonly time: number;
  /** At least one record, in the order of their sequences. */
  readonly records: readonly ChunkRecord[];
}

/** Consecutive records of the log, over all topics. A commit has one or more blocks. */
export interface Block {
  /** The sequence of its first record, which identifies the block. */
  readonly first: number;
  readonly time: number;
  /** The topics of the records, run-length encoded, in the order of the log. */
  readonly runs: readonly Run[];
}

export interface Run {
  readonly topic: TopicNumber;
  readonly count: number;
}

/** The id of a stored message. Hashes are strings of 16 characters, one byte each (latin1). */
export interface StoredId {
  /** The hash of topic, id and subject. */
  readonly key: string;
  /** The hash of the message. */
  readonly digest: string;
  readonly sequence: number;
}

export interface IdBlock {
  /** The block of the messages, which identifies this one. */
  readonly block: number;
  readonly time: number;
  readonly ids: readonly StoredId[];
}

/** A topic without its messages. */
export interface TopicRecord {
  readonly number: TopicNumber;
  readonly name: Topic;
  readonly isDeclared: boolean;
  /**
   * The topic was deleted. The record stays until its chunks are removed. Another topic may have the name.
   */
  readonly isDeleted: boolean;
  /** The head of the log when the topic was created, or began to keep messages. */
  readonly createdAt: number;
  /** Whether its rule kept messages when the log was last open. */
  readonly keeps: boolean;
  /** The newest removed message: its sequence, its ordinal, and the size of the messages up to it. */
  readonly gone: { readonly sequence: number; readonly ordinal: number; readonly bytes: number };
}

/** A mark of a deletion. It shows readers whether they have missed messages of the deleted topic. */
export interface DeletionMark {
  /** The highest sequence of a message that was deleted with the topic. */
  readonly sequence: number;
  /** The change counter of the open log at the deletion. A store does not keep it. */
  readonly at?: number;
}

export interface Deletion extends DeletionMark {
  readonly topic: Topic;
}

/**
 * The deletions of topics that had messages, as far as they are remembered: the newest ones by topic, older
 * ones by the first segment of the topic, and all others together.
 */
export interface Deletions {
  /** From the oldest. */
  readonly newest: readonly Deletion[];
  /** The highest marks of each segment. */
  readonly bySegment: ReadonlyMap<string, DeletionMark>;
  /** The highest marks of all other segments. */
  readonly inCommon: DeletionMark;
}

/** A step of the clock back: timestamps before a sequence are later than timestamps from it on. */
export interface ClockStep {
  /** The first sequence after the step. */
  readonly sequence: number;
  /** The newest timestamp before the step, or a later one. */
  readonly before: number;
  /** The time of the clock after the step. */
  readonly after: number;
}

/** The state of the log as a whole. */
export interface LogState {
  readonly epoch: string;
  /** The sequence of the newest record that was ever stored. */
  readonly head: number;
  /**
   * The timestamp of the newest record; or the time of the clock after the newest step, if no record has come
   * since.
   */
  readonly time: number;
  /** The time at which the clock was last trusted. */
  readonly trustedTime: number;
  /** In the order of the log. */
  readonly clockSteps: readonly ClockStep[];
  /** The highest number that was given to a topic. */
  readonly topicNumber: TopicNumber;
  readonly deletions: Deletions;
  readonly revocations: readonly Revocation[];
}

/** One atomic change of a store. */
export interface StoreCommit {
  readonly state: LogState;
  readonly blocks: readonly Block[];
  readonly chunks: readonly Chunk[];
  readonly ids: readonly IdBlock[];
  /** New and changed topics. */
  readonly topics: readonly TopicRecord[];
  readonly removedTopics: readonly TopicNumber[];
  readonly removedChunks: readonly Pick<Chunk, 'topic' | 'block'>[];
  readonly removedBlocks: readonly Block['first'][];
  readonly removedIds: readonly IdBlock['block'][];
}

/**
 * The storage of a log on one machine. It decides nothing; {@link LocalTopicLog} does.
 *
 * - `commit` MUST resolve after everything in it is stored at the store's level, and MUST change nothing when
 *   it rejects. There is one commit at a time. After a LogFullError or a LogUnwritableError, the same commit
 *   can succeed later. After a {@link StoreFailedError} or a LogUncertainError, which may have changed
 *   something, the store takes no more commits.
 * - Reads MUST return the state after the last commit, within one turn of the event loop. A generator MUST be
 *   used up or dropped in the turn in which it was created. Its cost MUST be proportional to the items that
 *   are taken from it.
 * - Reads MUST NOT return or skip damaged data: they throw a LogDamagedError.
 */
export interface Store {
  readonly level: Exclude<Stored, 'none'>;
  /** The size of the data on disk; undefined for a store in memory. */
  readonly diskBytes: number | undefined;
  /** Undefined if nothing was ever committed. */
  readState(): LogState | undefined;
  /** In the order of their numbers, from a number, or from the first. */
  readTopics(fromNumber?: TopicNumber): Iterable<TopicRecord>;
  /** In the order of the log, from a block. */
  readIds(fromBlock: number): Iterable<IdBlock>;
  /** In the order of the log, from the first block at or after `fromBlock`. */
  readBlocks(fromBlock: number): Iterable<Block>;
  /** The newest block at or before `block`. */
  blockBefore(block: number): Block | undefined;
  /** The chunks of a topic from the first block at or after `fromBlock`. */
  readChunks(topic: TopicNumber, fromBlock: number): Iterable<Chunk>;
  /** The newest chunk of a topic at or before `block`. */
  chunkBefore(topic: TopicNumber, block: number): Chunk | undefined;
  chunk(topic: TopicNumber, block: number): Chunk | undefined;
  commit(commit: StoreCommit): Promise<void>;
  close(): Promise<void>;
}

/** It is unknown which part of a commit the store has. The store must be opened anew. */
export class StoreFailedError extends LogUnwritableError {
  override readonly name = 'StoreFailedError';
}
