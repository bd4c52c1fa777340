import { Pacer } from '../../../limits/pacer.ts';
import { ageOf, type ClockHistory } from '../effective-time.ts';
import { MemoryBudget } from './memory-budget.ts';
import { trimTopic, type TrimmedTopic } from './trim.ts';
import type { Block, Chunk, Store, StoreCommit } from '../../store/store.ts';
import { recordOf, type TopicEntry } from '../topic-entry.ts';
import type { TopicTable } from '../topic-table.ts';
import type { RetentionFigures } from '../../log-figures.ts';

export interface RetentionOptions {
  readonly store: Store;
  readonly topics: TopicTable;
  readonly idWindowMs: number;
  /** The limit of the messages in memory; Infinity if they are on disk. */
  readonly memoryBytesMax: number;
  readonly onFailure: (error: unknown) => void;
}

/** The removals of a commit. */
export interface Removal {
  readonly commit: Pick<
    StoreCommit,
    'topics' | 'removedTopics' | 'removedChunks' | 'removedBlocks' | 'removedIds'
  >;
  /** MUST be called after the commit has succeeded. */
  apply(): void;
  fail(): void;
}

/** These limits keep a commit to some milliseconds. */
const chunksPerCommitMax = 256;
const idBlocksPerCommitMax = 512;

/** The sweep reads the time once for this number of topics, because a topic takes less time than the read. */
const topicsPerPacing = 256;

/** Maximum number of dropped messages of a topic that stay in the store until the next sweep. */
const slackMax = 64;

/** The share of excess bytes that can stay in the store until the next sweep: one part in this number. */
const slackBytesPart = 64;

/**
 * Makes sure that every topic keeps exactly the messages that its rule says. Later commits remove the others.
 */
export class Retention {
  readonly #options: RetentionOptions;
  readonly #memory: MemoryBudget;
  /** Topics with something to remove. */
  readonly #due = new Set<TopicEntry>();
  /** Topics that cannot be trimmed because they are damaged. */
  readonly #damaged = new WeakSet<TopicEntry>();
  #chunksWritten = 0;
  #removedMessages = 0;
  #areIdsDue = false;
  #areIdsDamaged = false;
  /** The topics that the current sweep has not reached. */
  #unswept: Iterator<TopicEntry> | undefined;

  constructor(options: RetentionOptions) {
    this.#options = options;
    this.#memory = new MemoryBudget(options);
  }

  /** The memory of the messages, if they are in memory. */
  get memoryBytes(): number {
    return this.#memory.bytes;
  }

  /** Adds messages: their number, their size as JSON text, and the number of their chunks. */
  grow(messages: number, bytes: number, chunks: number): void {
    this.#chunksWritten = chunks;
    for (const entry of this.#memory.grow(messages, bytes)) this.#add(entry);
  }

  /** Checks a topic that has grown, was opened, or was deleted. */
  note(entry: TopicEntry): void {
    const { oldest, isDeleted, count, trimmed, rule } = entry;
    const { keep } = rule;
    if (isDeleted) {
      // A topic without messages is already gone.
      if (this.#options.topics.at(entry.number)) this.#add(entry);
    } else if (keep === 'none') {
      if (count > trimmed) this.#options.topics.trim(entry, count);
      if (oldest) this.#add(entry);
    } else {
      if (count - keep.count > trimmed) this.#options.topics.trim(entry, count - keep.count);
      // A removal for every single message would be too expensive.
      const slack = Math.min(slackMax, keep.count);
      const slackBytes = Math.floor(keep.bytes / slackBytesPart);
      if (oldest && isOver(entry, keep.bytes + slackBytes, slack)) this.#add(entry);
    }
  }

  /** Checks some topics for old messages. @returns whether the sweep is complete */
  sweep(clock: ClockHistory): boolean {
    this.#unswept ??= this.#options.topics.all()[Symbol.iterator]();
    this.#areIdsDue = !this.#areIdsDamaged;
    const pacer = new Pacer();
    for (let looked = 1; looked % topicsPerPacing !== 0 || !pacer.isDue; looked++) {
      const next = this.#unswept.next();
      if (next.done === true) {
        this.#unswept = undefined;
        return true;
      }
      const entry = next.value;
      const { oldest, rule } = entry;
      if (!oldest || rule.keep === 'none') continue;
      if (ageOf(oldest, clock) > rule.keep.ageMs || isOver(entry, rule.keep.bytes, 0)) this.#add(entry);
    }
    return false;
  }

  get figures(): RetentionFigures {
    return { removedMessages: this.#removedMessages, dueTopics: this.#due.size };
  }

  get hasWork(): boolean {
    return this.#due.size > 0 || this.#areIdsDue;
  }

  /** Returns the removals of the next commit, or undefined if there are none. */
  collect(clock: ClockHistory): Removal | undefined {
    if (!this.hasWork) return undefined;
    const trimmedTopics = this.#trimDue(clock);
    const removedChunks = trimmedTopics.flatMap(({ removed }) => removed);
    const removedIds = this.#oldIds(clock);
    if (trimmedTopics.length === 0 && removedIds.length === 0) return undefined;
    const isPurged = ({ entry, oldest }: TrimmedTopic): boolean => entry.isDeleted && !oldest;
    const purged = trimmedTopics.filter(isPurged).map(({ entry }) => entry);
    return {
      commit: {
        topics: trimmedTopics.filter((one) => !isPurged(one)).map(({ entry }) => recordOf(entry)),
        removedTopics: purged.map(({ number }) => number),
        removedChunks,
        removedBlocks: this.#deadBlocks(removedChunks),
        removedIds,
      },
      apply: () => {
        this.#memory.shrink(removedChunks);
        for (const { records } of removedChunks) this.#removedMessages += records.length;
        for (const entry of purged) this.#options.topics.forget(entry);
      },
      fail: () => {
        for (const { entry, before } of trimmedTopics) {
          Object.assign(entry, before);
          this.#due.add(entry);
        }
        this.#areIdsDue ||= removedIds.length > 0;
      },
    };
  }

  #add(entry: TopicEntry): void {
    if (!this.#damaged.has(entry)) this.#due.add(entry);
  }

  #trimDue(clock: ClockHistory): readonly TrimmedTopic[] {
    const { store, topics, onFailure } = this.#options;
    const { evictedThrough } = this.#memory;
    const trimmedTopics: TrimmedTopic[] = [];
    // Removing must keep up with appending.
    let chunksLeft = Math.max(chunksPerCommitMax, 2 * this.#chunksWritten);
    for (const entry of this.#due) {
      if (chunksLeft <= 0) break;
      this.#due.delete(entry);
      try {
        const one = trimTopic(entry, { store, topics, clock, evictedThrough }, chunksLeft);
        chunksLeft -= one.removed.length + 1;
        if (one.hasMore) this.#due.add(entry);
        if (one.removed.length > 0 || entry.isDeleted) trimmedTopics.push(one);
        // These messages can no longer be read, even if their removal fails.
        Object.assign(entry, { gone: one.gone, oldest: one.oldest });
      } catch (error) {
        this.#damaged.add(entry);
        onFailure(error);
      }
    }
    return trimmedTopics;
  }

  /** The blocks that have no chunk left, after some chunks were removed. */
  #deadBlocks(removed: readonly Chunk[]): readonly number[] {
    const { store, onFailure } = this.#options;
    const dead: number[] = [];
    for (const name of new Set(removed.map(({ block }) => block))) {
      try {
        const block = store.blockBefore(name);
        if (block?.first === name && !this.#isNeeded(block)) dead.push(name);
      } catch (error) {
        onFailure(error);
      }
    }
    return dead;
  }

  #isNeeded({ first, runs }: Block): boolean {
    return runs.some(({ topic }) => (this.#options.topics.at(topic)?.oldest?.block ?? Infinity) <= first);
  }

  #oldIds(clock: ClockHistory): readonly number[] {
    const { store, idWindowMs, onFailure } = this.#options;
    const old: number[] = [];
    if (!this.#areIdsDue) return old;
    try {
      for (const ids of store.readIds(0)) {
        if (ageOf(ids, clock) <= idWindowMs) break;
        if (old.length >= idBlocksPerCommitMax) return old;
        old.push(ids.block);
      }
    } catch (error) {
      this.#areIdsDamaged = true;
      onFailure(error);
    }
    this.#areIdsDue = false;
    return old;
  }
}

/** Whether the oldest chunk of a topic is no longer kept, or the topic has too many bytes. */
function isOver(entry: TopicEntry, bytesMax: number, slack: number): boolean {
  const { oldest, trimmed, bytes, bytesTrimmed } = entry;
  if (!oldest) return false;
  const isOverBytes = bytes - Math.max(bytesTrimmed, oldest.bytesBefore) > bytesMax;
  return trimmed >= oldest.lastOrdinal + slack || (isOverBytes && entry.count - trimmed > 1);
}
