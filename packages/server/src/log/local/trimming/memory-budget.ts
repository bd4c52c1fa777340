import type { Chunk, Store } from '../../store/store.ts';
import type { TopicEntry, TopicTable } from '../topic-table.ts';

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
  #squeezedBytes = 0;
  #squeezedThrough = 0;

  constructor(options: MemoryBudgetOptions) {
    this.#options = options;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Chunks up to this block are to go. */
  get squeezedThrough(): number {
    return this.#squeezedThrough;
  }

  /** Messages came. @returns the topics that are to be shortened */
  grow(messages: number, bytes: number): Iterable<TopicEntry> {
    const { memoryBytesMax } = this.#options;
    if (memoryBytesMax === Infinity) return [];
    this.#bytes += bytes + messages * recordOverheadBytes;
    return this.#bytes - this.#squeezedBytes > memoryBytesMax ? this.#squeeze() : [];
  }

  /** Chunks went. */
  shrink(removed: readonly Chunk[]): void {
    if (this.#options.memoryBytesMax === Infinity) return;
    for (const chunk of removed) {
      const weight = weightOf(chunk);
      this.#bytes -= weight;
      if (chunk.block <= this.#squeezedThrough) this.#squeezedBytes -= weight;
    }
  }

  #squeeze(): Iterable<TopicEntry> {
    const { store, topics, memoryBytesMax } = this.#options;
    const squeezed = new Set<TopicEntry>();
    for (const { first, runs } of store.readBlocks(this.#squeezedThrough + 1)) {
      if (this.#bytes - this.#squeezedBytes <= memoryBytesMax) break;
      this.#squeezedThrough = first;
      for (const number of new Set(runs.map(({ topic }) => topic))) {
        const entry = topics.at(number);
        const chunk = entry && store.chunk(number, first);
        if (!chunk) continue;
        squeezed.add(entry);
        this.#squeezedBytes += weightOf(chunk);
      }
    }
    return squeezed;
  }
}

function weightOf({ records }: Chunk): number {
  let weight = records.length * recordOverheadBytes;
  for (const { messageJson } of records) weight += Buffer.byteLength(messageJson);
  return weight;
}
