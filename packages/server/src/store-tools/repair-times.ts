import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fixedLimits } from '../limits/fixed-limits.ts';
import { withClockStep } from '../log/local/effective-time.ts';
import { copyData } from '../log/store/migration/copy-data-file.ts';
import { DataDirectoryError } from '../log/store/directory/data-directory.ts';
import { dataFile } from '../log/store/directory/file-names.ts';
import { openLmdbStore } from '../log/store/lmdb/lmdb-store.ts';
import type { Block, Chunk, ClockStep, IdBlock, LogState, Store, StoreCommit } from '../log/store/store.ts';
import { expectStore } from './open-store.ts';

export interface RepairedTimes {
  readonly messages: number;
  /** The newest timestamp before the repair. */
  readonly latest: number;
}

const { value: stepMs } = fixedLimits.clockStepMs;

/** A commit has this many blocks, which are some MiB at most. */
const blocksPerCommit = 64;

/**
 * Corrects the timestamps of messages from the future, after copying the data. After an interruption it can
 * be run again.
 *
 * @param now - the wall clock, in milliseconds since 1970. It must be right
 * @returns the result with the path of the copy; undefined if there is nothing to correct
 * @throws DataDirectoryError, LogDamagedError
 */
export async function repairTimes(
  directory: string,
  now: number,
): Promise<(RepairedTimes & { readonly copy: string }) | undefined> {
  await expectStore(directory);
  const store = await openLmdbStore(directory, { allowNetworkStorage: true });
  try {
    if (!hasFutureTimestamps(store, now)) return undefined;
    const copy = await nameOfCopy(directory);
    await copyData(directory, copy).catch((error: unknown) => {
      throw cannotCopy(directory, error);
    });
    return { ...(await repairTimestamps(store, now)), copy };
  } finally {
    await store.close();
  }
}

/** The copies of earlier repairs stay: a repair may have been interrupted, or the clock wrong. */
async function nameOfCopy(directory: string): Promise<string> {
  const names = await readdir(directory);
  const first = `${dataFile}.before-repair`;
  let name = first;
  for (let number = 2; names.includes(name); number++) name = `${first}-${number}`;
  return join(directory, name);
}

function hasFutureTimestamps(store: Store, now: number): boolean {
  for (const { time } of store.readBlocks(0)) if (time > now + stepMs) return true;
  return false;
}

/**
 * Corrects the timestamps of messages from the future. They keep their distances, and end at the time at
 * which the clock was set right after them, or now. Nothing else changes.
 */
export async function repairTimestamps(store: Store, now: number): Promise<RepairedTimes> {
  const state = store.readState();
  return state ? new TimestampRepair(store, state, now).run() : { messages: 0, latest: 0 };
}

/** A block with its corrected timestamp. */
interface Corrected {
  readonly block: Block;
  readonly time: number;
}

class TimestampRepair {
  readonly #store: Store;
  readonly #state: LogState;
  readonly #now: number;
  /** The corrected timestamp of the newest block so far. */
  #time = 0;
  #steps: readonly ClockStep[] = [];

  constructor(store: Store, state: LogState, now: number) {
    this.#store = store;
    this.#state = state;
    this.#now = now;
  }

  async run(): Promise<RepairedTimes> {
    let messages = 0;
    let latest = 0;
    for (let blocks = this.#blocksFrom(0); blocks.length > 0;) {
      const corrected = blocks.map((block) => ({ block, time: this.#correct(block) }));
      const changed = corrected.filter(({ block, time }) => block.time !== time);
      if (changed.length > 0) await this.#store.commit(this.#commitOf(changed));
      for (const { block } of changed) {
        messages += block.runs.reduce((sum, { count }) => sum + count, 0);
        latest = Math.max(latest, block.time);
      }
      blocks = this.#blocksFrom((blocks.at(-1)?.first ?? 0) + 1);
    }
    const { time } = this.#state;
    const state = {
      ...this.#state,
      time: this.#isFromFuture(time) ? this.#time : Math.max(time, this.#time),
      trustedTime: this.#now,
      clockSteps: this.#steps,
    };
    await this.#store.commit({ ...this.#commitOf([]), state });
    return { messages, latest };
  }

  #isFromFuture(time: number): boolean {
    return time > this.#now + stepMs;
  }

  #blocksFrom(from: number): readonly Block[] {
    const blocks: Block[] = [];
    for (const block of this.#store.readBlocks(from)) {
      blocks.push(block);
      if (blocks.length >= blocksPerCommit) break;
    }
    return blocks;
  }

  /** The corrected timestamp of the next block. */
  #correct({ first, time: before }: Block): number {
    const time = this.#isFromFuture(before) ? this.#timeOfFuture(first, before) : before;
    if (time < this.#time)
      this.#steps = withClockStep(this.#steps, { sequence: first, before: this.#time, after: time });
    this.#time = time;
    return time;
  }

  /**
   * Keeps the distance to the last timestamp before the clock was set right, but never goes before the
   * previous block.
   */
  #timeOfFuture(first: number, time: number): number {
    const { clockSteps, time: newest } = this.#state;
    const next = clockSteps.findIndex(({ sequence }) => sequence > first);
    const later = next < 0 ? [] : clockSteps.slice(next);
    const last = later[0]?.before ?? newest;
    const setRight = later.find(({ after }) => !this.#isFromFuture(after))?.after ?? this.#now;
    return Math.min(setRight, Math.max(this.#time, setRight - (last - time)));
  }

  #commitOf(corrected: readonly Corrected[]): StoreCommit {
    const blocks: Block[] = [];
    const chunks: Chunk[] = [];
    const ids: IdBlock[] = [];
    for (const { block, time } of corrected) {
      blocks.push({ ...block, time });
      for (const topic of new Set(block.runs.map((run) => run.topic))) {
        const chunk = this.#store.chunk(topic, block.first);
        if (!chunk) continue;
        const { ordinal, bytesBefore, records } = chunk;
        chunks.push({ topic, block: block.first, ordinal, bytesBefore, time, records });
      }
      const [idsOfBlock] = this.#store.readIds(block.first);
      if (idsOfBlock?.block === block.first) ids.push({ ...idsOfBlock, time });
    }
    return { state: this.#state, blocks, chunks, ids, ...nothingElse };
  }
}

const nothingElse = { topics: [], removedTopics: [], removedChunks: [], removedBlocks: [], removedIds: [] };

function cannotCopy(directory: string, error: unknown): DataDirectoryError {
  const reason = error instanceof Error ? error.message : String(error);
  return new DataDirectoryError(
    `A copy of the data in '${directory}' is made before its times are repaired, and that failed: ${reason}. ` +
      'Free some space, or move the directory to a larger disk. Nothing was changed.',
    { cause: error },
  );
}
