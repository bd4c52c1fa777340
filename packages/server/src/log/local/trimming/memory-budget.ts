import type { Chunk, Store } from '../../store/store.ts';
import type { TopicEntry } from '../topic-entry.ts';
import type { TopicTable } from '../topic-table.ts';

export interface MemoryBudgetOptions {
  readonly store: Store;
  readonly topics: TopicTable;
  /** The limit of the messages in memory; Infinity if they are on disk. */
  readonly memoryBytesMax: number;
}

/** The memory that a message takes in addition to its text, in bytes. */
const recordOverheadBytes = 200;

/** Counts the memory of messages. Above the limit, the oldest messages of all topics are evicted. */
export class MemoryBudget {
  readonly #options: MemoryBudgetOptions;
  #bytes = 0;
  /** The part that will be evicted. */
  #evictedBytes = 0;
  #evictedThrough = 0;

  constructor(options: MemoryBudgetOptions) {
    this.#options = options;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** All chunks up to this block are evicted. */
  get evictedThrough(): number {
    return this.#evictedThrough;
  }

  /** Adds messages. @returns the topics that must be trimmed */
  grow(messages: number, bytes: number): Iterable<TopicEntry> {
    const { memoryBytesMax } = this.#options;
    if (memoryBytesMax === Infinity) return [];
    this.#bytes += bytes + messages * recordOverheadBytes;
    return this.#bytes - this.#evictedBytes > memoryBytesMax ? this.#evict() : [];
  }

  /** Subtracts removed chunks. */
  shrink(removed: readonly Chunk[]): void {
    if (this.#options.memoryBytesMax === Infinity) return;
    for (const chunk of removed) {
      const weight = weightOf(chunk);
      this.#bytes -= weight;
      if (chunk.block <= this.#evictedThrough) this.#evictedBytes -= weight;
    }
  }

  #evict(): Iterable<TopicEntry> {
    const { store, topics, memoryBytesMax } = this.#options;
    const evicted = new Set<TopicEntry>();
    for (const { first, runs } of store.readBlocks(this.#evictedThrough + 1)) {
      if (this.#bytes - this.#evictedBytes <= memoryBytesMax) break;
      this.#evictedThrough = first;
      for (const number of new Set(runs.map(({ topic }) => topic))) {
        const entry = topics.at(number);
        const chunk = entry && store.chunk(number, first);
        if (!chunk) continue;
        evicted.add(entry);
        this.#evictedBytes += weightOf(chunk);
      }
    }
    return evicted;
  }
}

function weightOf({ records }: Chunk): number {
  let weight = records.length * recordOverheadBytes;
  for (const { messageJson } of records) weight += Buffer.byteLength(messageJson);
  return weight;
}
