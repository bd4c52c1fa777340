import { MemoryStore } from '../../src/log/store/memory-store.ts';
import type {
  Block,
  Chunk,
  IdBlock,
  LogState,
  Store,
  StoreCommit,
  TopicNumber,
  TopicRecord,
} from '../../src/log/store/store.ts';

/** A commit that waits until the test settles it. */
export interface HeldCommit {
  readonly commit: StoreCommit;
  readonly succeed: () => void;
  readonly fail: (error: Error) => void;
}

/** A store in memory that fails, hangs and loses data on demand. */
export class SteeredStore implements Store {
  readonly level: Store['level'];
  readonly diskBytes = undefined;
  /** The error of failing commits. */
  failure: Error | undefined;
  /** Only commits that meet this condition fail. */
  isAffected: (commit: StoreCommit) => boolean = () => true;
  /** Every attempted commit. */
  readonly commits: StoreCommit[] = [];
  readonly lostChunks: Pick<Chunk, 'topic' | 'block'>[] = [];
  readonly lostBlocks: number[] = [];
  readonly #store = new MemoryStore();
  #mode: 'prompt' | 'late' | 'early' = 'prompt';
  #held: (commit: HeldCommit) => void = () => {};

  constructor(level: Store['level'] = 'memory') {
    this.level = level;
  }

  /**
   * Resolves to the next commit, which waits.
   *
   * @param mode - `early` when what it changes can be read at once, `late` when it can once it succeeds
   */
  hold(mode: 'early' | 'late'): Promise<HeldCommit> {
    this.#mode = mode;
    return new Promise((resolve) => (this.#held = resolve));
  }

  async commit(commit: StoreCommit): Promise<void> {
    this.commits.push(commit);
    if (this.failure && this.isAffected(commit)) throw this.failure;
    const mode = this.#mode;
    this.#mode = 'prompt';
    if (mode === 'early') await this.#store.commit(commit);
    if (mode !== 'prompt') {
      await new Promise<void>((resolve, reject) => {
        this.#held({ commit, succeed: resolve, fail: reject });
      });
    }
    if (mode !== 'early') await this.#store.commit(commit);
  }

  readState(): LogState | undefined {
    return this.#store.readState();
  }

  readTopics(fromNumber?: TopicNumber): Iterable<TopicRecord> {
    return this.#store.readTopics(fromNumber);
  }

  readIds(fromBlock: number): Iterable<IdBlock> {
    return this.#store.readIds(fromBlock);
  }

  *readBlocks(fromBlock: number): Iterable<Block> {
    for (const block of this.#store.readBlocks(fromBlock)) {
      if (!this.lostBlocks.includes(block.first)) yield block;
    }
  }

  blockBefore(block: number): Block | undefined {
    const found = this.#store.blockBefore(block);
    return found && this.lostBlocks.includes(found.first) ? this.blockBefore(found.first - 1) : found;
  }

  *readChunks(topic: TopicNumber, fromBlock: number): Iterable<Chunk> {
    for (const chunk of this.#store.readChunks(topic, fromBlock)) if (!this.#isLost(chunk)) yield chunk;
  }

  chunkBefore(topic: TopicNumber, block: number): Chunk | undefined {
    const found = this.#store.chunkBefore(topic, block);
    return found && this.#isLost(found) ? this.chunkBefore(topic, found.block - 1) : found;
  }

  chunk(topic: TopicNumber, block: number): Chunk | undefined {
    const found = this.#store.chunk(topic, block);
    return found && this.#isLost(found) ? undefined : found;
  }

  close(): Promise<void> {
    return this.#store.close();
  }

  #isLost({ topic, block }: Chunk): boolean {
    return this.lostChunks.some((lost) => lost.topic === topic && lost.block === block);
  }
}

/** Counts what a store has. */
export function contentsOf(store: Store): Readonly<Record<'topics' | 'chunks' | 'blocks' | 'ids', number>> {
  const topics = [...store.readTopics()];
  return {
    topics: topics.length,
    // Topics that do not exist any more are counted too.
    chunks: Array.from({ length: (store.readState()?.topicNumber ?? 0) + 1 }, (_, number) => [
      ...store.readChunks(number, 0),
    ]).flat().length,
    blocks: [...store.readBlocks(0)].length,
    ids: [...store.readIds(0)].length,
  };
}
