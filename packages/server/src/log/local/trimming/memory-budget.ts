import type { Chunk, Store } from '../../store/store.ts';
import type { TopicEntry } from '../topic-entry.ts';
import type { TopicTable } from '../topic-table.ts';

export interface MemoryBudgetOptions {
  readonly store: Store;
  readonly topics: TopicTable;
  /** How many bytes of memory the messages may take in all; Infinity where they are on disk. */
  readonly memoryBytesMax: number;
}

/** What a message takes in memory beside its text. */
const recordOverheadBytes = 200;

/** Counts what the messages take in memory. When it is too much, the oldest go, of whatever topic. */
export class MemoryBudget {
  readonly #options: MemoryBudgetOptions;
  #bytes = 0;
  /** What of it is to go. */
  #evictedBytes = 0;
  #evictedThrough = 0;

  constructor(options: MemoryBudgetOptions) {
    this.#options = options;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Chunks up to this block are to go. */
  get evictedThrough(): number {
    return this.#evictedThrough;
  }

  /** Messages came. @returns the topics that are to be shortened */
  grow(messages: number, bytes: number): Iterable<TopicEntry> {
    const { memoryBytesMax } = this.#options;
    if (memoryBytesMax === Infinity) return [];
    this.#bytes += bytes + messages * recordOverheadBytes;
    return this.#bytes - this.#evictedBytes > memoryBytesMax ? this.#evict() : [];
  }

  /** Chunks went. */
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
