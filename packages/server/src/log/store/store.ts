import type { Stored, Topic } from '@fanfare/protocol';
import { LogUnwritableError, type Revocation } from '../topic-log.ts';

/** A topic's number in a store: never used for another one, from 1 on. */
export type TopicNumber = number;

/** One stored message. */
export interface ChunkRecord {
  readonly sequence: number;
  readonly messageJson: string;
  readonly id?: string;
  readonly publisher?: string;
}

/** The records of one topic in one block: what a store writes, reads and deletes as a whole. */
export interface Chunk {
  readonly topic: TopicNumber;
  /** The sequence of the block's first record. With the topic's number it names the chunk. */
  readonly block: number;
  /** Of the first record: which of its topic's messages it is, from 1 on. */
  readonly ordinal: number;
  /** How many bytes of messages (JSON text as UTF-8) the topic had had before, those that are gone included. */
  readonly bytesBefore: number;
  /** What the clock showed when the block was committed. */
  readonly time: number;
  /** At least one, in the order of their sequences. */
  readonly records: readonly ChunkRecord[];
}

/** Some records that follow one another in the log, over all topics: a commit has one or more of them. */
export interface Block {
  /** The sequence of its first record, which names it. */
  readonly first: number;
  readonly time: number;
  /** How many records of which topic follow one another, in the order of the log. */
  readonly runs: readonly Run[];
}

export interface Run {
  readonly topic: TopicNumber;
  readonly count: number;
}

/** The id under which a message was published. Hashes are texts of 16 characters, each a byte (latin1). */
export interface StoredId {
  /** The hash of topic and id. */
  readonly key: string;
  /** The hash of the message. */
  readonly digest: string;
  readonly sequence: number;
}

export interface IdBlock {
  /** The sequence of the block that the messages are in, which names it. */
  readonly block: number;
  readonly time: number;
  readonly ids: readonly StoredId[];
}

/** What is known of a topic beside its messages. */
export interface TopicRecord {
  readonly number: TopicNumber;
  readonly name: Topic;
  readonly isDeclared: boolean;
  /** It does not exist any more; the record is there until its chunks are gone. Another topic may have the name. */
  readonly isDeleted: boolean;
  /** The log's head when the topic came to be, or began to keep messages. */
  readonly createdAt: number;
  /** Whether its rule kept messages when last seen. */
  readonly keeps: boolean;
  /** How many messages it had had up to its newest one that is gone, and that one's place in the log. */
  readonly gone: { readonly sequence: number; readonly ordinal: number; readonly bytes: number };
}

/** What of a deleted topic a reader may miss. */
export interface DeletionMark {
  /** The highest place in the log of a message that went with it. */
  readonly sequence: number;
  /** While the log is open: which of its changes deleted it. A store does not keep it. */
  readonly at?: number;
}

export interface Deletion extends DeletionMark {
  readonly topic: Topic;
}

/**
 * The deletions of topics that had messages, as far as they are remembered: the newest one by one, older ones by the first
 * segment of the topics' names, and all others in common.
 */
export interface Deletions {
  /** The oldest first. */
  readonly newest: readonly Deletion[];
  /** The highest marks of each segment. */
  readonly bySegment: ReadonlyMap<string, DeletionMark>;
  /** The highest marks of those whose segment is not among these. */
  readonly inCommon: DeletionMark;
}

/** The clock was set back: stamps before a place in the log are later than those from it on. */
export interface ClockStep {
  /** The place of the first record after the step. */
  readonly sequence: number;
  /** The newest stamp before it, or a later one. */
  readonly before: number;
  /** What the clock showed after it. */
  readonly after: number;
}

/** What is known of the log as a whole. */
export interface LogState {
  readonly epoch: string;
  /** The sequence of the newest record that was ever stored. */
  readonly head: number;
  /** The stamp of the newest record; or what the clock showed after the newest step, if no record has come since. */
  readonly time: number;
  /** What the clock showed when it was last believed. */
  readonly trustedTime: number;
  /** In the order of the log. */
  readonly clockSteps: readonly ClockStep[];
  /** The highest number that a topic was given. */
  readonly topicNumber: TopicNumber;
  readonly deletions: Deletions;
  readonly revocations: readonly Revocation[];
}

/** One change of a store. All of it is there afterwards, or nothing. */
export interface StoreCommit {
  readonly state: LogState;
  readonly blocks: readonly Block[];
  readonly chunks: readonly Chunk[];
  readonly ids: readonly IdBlock[];
  /** Topics that are new or changed. */
  readonly topics: readonly TopicRecord[];
  readonly removedTopics: readonly TopicNumber[];
  readonly removedChunks: readonly Pick<Chunk, 'topic' | 'block'>[];
  readonly removedBlocks: readonly Block['first'][];
  readonly removedIds: readonly IdBlock['block'][];
}

/**
 * Where the log of one machine keeps things. It decides nothing: {@link LocalTopicLog} does.
 *
 * - `commit` MUST resolve once everything in it is there at the store's level, and MUST change nothing when it
 *   rejects. There is one commit at a time. After a LogFullError or a LogUnwritableError the same can succeed later;
 *   after a {@link StoreFailedError} or a LogUncertainError, which may have changed something, it takes no more.
 * - What is read MUST be what the last commit left, in the turn in which it is read; a generator MUST be used up
 *   or given up in the turn in which it was made, and MUST cost no more than what is taken from it.
 * - Damaged data MUST NOT be returned or skipped: reading throws a LogDamagedError.
 */
export interface Store {
  readonly level: Exclude<Stored, 'none'>;
  /** How many bytes of the disk have data; undefined where all is in memory. */
  readonly diskBytes: number | undefined;
  /** Undefined when nothing was ever committed. */
  readState(): LogState | undefined;
  /** In the order of their numbers, from one on; from the first without one. */
  readTopics(fromNumber?: TopicNumber): Iterable<TopicRecord>;
  /** From a block on, in the order of the log. */
  readIds(fromBlock: number): Iterable<IdBlock>;
  /** Blocks from the first that is named `fromBlock` or higher. */
  readBlocks(fromBlock: number): Iterable<Block>;
  /** The newest block whose name is `block` or lower. */
  blockBefore(block: number): Block | undefined;
  /** A topic's chunks from the first whose block is `fromBlock` or higher. */
  readChunks(topic: TopicNumber, fromBlock: number): Iterable<Chunk>;
  /** A topic's newest chunk whose block is `block` or lower. */
  chunkBefore(topic: TopicNumber, block: number): Chunk | undefined;
  chunk(topic: TopicNumber, block: number): Chunk | undefined;
  commit(commit: StoreCommit): Promise<void>;
  close(): Promise<void>;
}

/** The store cannot tell any more what of a commit is there: it has to be opened anew. */
export class StoreFailedError extends LogUnwritableError {
  override readonly name = 'StoreFailedError';
}
