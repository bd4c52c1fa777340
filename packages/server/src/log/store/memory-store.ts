import { SortedList } from './sorted-list.ts';
import {
  StoreFailedError,
  type Block,
  type Chunk,
  type IdBlock,
  type LogState,
  type Store,
  type StoreCommit,
  type TopicNumber,
  type TopicRecord,
} from './store.ts';

/** A store in the memory of the process, which is lost with it. It holds the objects that it was given. */
export class MemoryStore implements Store {
  readonly level = 'memory';
  readonly diskBytes = undefined;
  #state: LogState | undefined;
  readonly #topics = new SortedList<TopicRecord>();
  readonly #blocks = new SortedList<Block>();
  readonly #ids = new SortedList<IdBlock>();
  readonly #chunks = new Map<TopicNumber, SortedList<Chunk>>();
  #isClosed = false;

  readState(): LogState | undefined {
    return this.#state;
  }

  readTopics(fromNumber = 0): Iterable<TopicRecord> {
    return this.#topics.from(fromNumber);
  }

  readIds(fromBlock: number): Iterable<IdBlock> {
    return this.#ids.from(fromBlock);
  }

  readBlocks(fromBlock: number): Iterable<Block> {
    return this.#blocks.from(fromBlock);
  }

  blockBefore(block: number): Block | undefined {
    return this.#blocks.atOrBefore(block);
  }

  readChunks(topic: TopicNumber, fromBlock: number): Iterable<Chunk> {
    return this.#chunks.get(topic)?.from(fromBlock) ?? [];
  }

  chunkBefore(topic: TopicNumber, block: number): Chunk | undefined {
    return this.#chunks.get(topic)?.atOrBefore(block);
  }

  chunk(topic: TopicNumber, block: number): Chunk | undefined {
    return this.#chunks.get(topic)?.get(block);
  }

  /** Takes effect at once. */
  commit(commit: StoreCommit): Promise<void> {
    if (this.#isClosed) return Promise.reject(new StoreFailedError('The store is closed.'));
    for (const { topic, block } of commit.removedChunks) this.#removeChunk(topic, block);
    for (const block of commit.removedBlocks) this.#blocks.delete(block);
    for (const block of commit.removedIds) this.#ids.delete(block);
    for (const number of commit.removedTopics) this.#topics.delete(number);
    for (const chunk of commit.chunks) this.#addChunk(chunk);
    for (const block of commit.blocks) this.#blocks.set(block.first, block);
    for (const ids of commit.ids) this.#ids.set(ids.block, ids);
    for (const topic of commit.topics) this.#topics.set(topic.number, topic);
    this.#state = commit.state;
    return Promise.resolve();
  }

  close(): Promise<void> {
    this.#isClosed = true;
    return Promise.resolve();
  }

  #addChunk(chunk: Chunk): void {
    let chunks = this.#chunks.get(chunk.topic);
    if (!chunks) {
      chunks = new SortedList();
      this.#chunks.set(chunk.topic, chunks);
    }
    chunks.set(chunk.block, withOwnText(chunk));
  }

  #removeChunk(topic: TopicNumber, block: number): void {
    const chunks = this.#chunks.get(topic);
    chunks?.delete(block);
    if (chunks?.isEmpty) this.#chunks.delete(topic);
  }
}

/**
 * Copies the messages of a chunk into one string. A message is usually a slice of its request's text, and
 * would keep all of that in memory. Slices of the chunk's own string keep no more than the chunk.
 */
function withOwnText(chunk: Chunk): Chunk {
  const text = chunk.records.map(({ messageJson }) => `${messageJson}\n`).join('');
  let end = -1;
  const records = chunk.records.map((record) => {
    const start = end + 1;
    end = start + record.messageJson.length;
    return { ...record, messageJson: text.slice(start, end) };
  });
  return { ...chunk, records };
}
