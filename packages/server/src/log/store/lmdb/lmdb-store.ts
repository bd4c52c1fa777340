import { statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { blockOf, chunkKey, decodeChunk, encodeChunk } from '../encoding/chunk-codec.ts';
import {
  giveToOwner,
  prepareDirectory,
  syncDirectory,
  type PrepareOptions,
} from '../directory/data-directory.ts';
import { dataFile, lockFile } from '../directory/file-names.ts';
import { copyWithin } from './copy-within.ts';
import { FreeSpace } from './free-space.ts';
import { bytesMax } from './growth.ts';
import { failureOf } from './write-failure.ts';
import { changesFrom, format, readFormat } from '../migration/format.ts';
import { firstKey, LmdbFile, type Change } from './lmdb-file.ts';
import { checkHeader, fingerprintOf } from '../check/meta-pages.ts';
import { ownerKey, ownerTable, ownerRemoval } from '../ownership/owner-table.ts';
import { logStateChanges, readLogState } from './log-state.ts';
import { thisMachine, type Machine } from '../ownership/process-liveness.ts';
import { migrate, type MigrationProgress } from '../migration/migrate.ts';
import { beginEpochOfCopy } from '../restored-copy.ts';
import type { LeaseEvents } from '../ownership/lease.ts';
import * as codec from '../encoding/record-codec.ts';
import { damaged } from '../encoding/checksum.ts';
import { checkStore, reportDamage } from '../check/store-check.ts';
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
} from '../store.ts';
import { Histogram } from '../../../observability/histogram.ts';
import { DirectoryLock } from '../ownership/directory-lock.ts';
import type { DiskFigures } from '../../log-figures.ts';
import { LogDamagedError, LogUncertainError } from '../../topic-log.ts';

export interface LmdbStoreOptions extends Partial<LeaseEvents> {
  /** Whether it takes no commits. Data of an earlier format is not migrated then. */
  readonly isReadOnly?: boolean;
  readonly onMigration?: (progress: MigrationProgress) => void;
  /** Called after an open store has been closed. */
  readonly onClosed?: (() => void) | undefined;
  /** Called if the data is a restored copy, so that the log has a new epoch. */
  readonly onNewEpoch?: (epoch: string) => void;
  /** Whether the directory may be on storage that other machines can mount. */
  readonly allowNetworkStorage?: boolean;
  /** Called with a sentence if opening takes long. */
  readonly onWait?: (sentence: string) => void;
  /**
   * Called with a sentence for each damage, and the store is opened all the same. Opening can crash the
   * process then, so it must be a process of its own. Without this, a damaged store is not opened.
   */
  readonly onDamage?: (sentence: string) => void;
  readonly machine?: Machine;
  readonly storageType?: PrepareOptions['storageType'];
}

/**
 * Opens the store in a directory, and creates the directory if needed. The directory is locked until the
 * store is closed or the process ends. Data of an earlier format is migrated.
 *
 * @throws DataDirectoryError if the directory cannot be used, is in use by another server, or cannot be
 * migrated
 * @throws LogDamagedError
 */
export async function openLmdbStore(directory: string, options: LmdbStoreOptions = {}): Promise<LmdbStore> {
  const { allowNetworkStorage = false, storageType, onDamage, machine = thisMachine() } = options;
  const ignore = (): void => {};
  const { isReadOnly = false, onClosed, onMigration: onProgress = ignore, onNewEpoch = ignore } = options;
  await prepareDirectory(directory, { allowNetworkStorage, ...(storageType && { storageType }) });
  const events = { onWait: ignore, onLost: ignore, onTrouble: ignore, onRecovered: ignore, ...options };
  const lock = new DirectoryLock({ ...events, directory, machine });
  let file: LmdbFile | undefined;
  let space: FreeSpace | undefined;
  try {
    const left = await lock.waitUntilFree();
    checkHeader(join(directory, dataFile));
    if (onDamage) reportDamage(directory, onDamage);
    else await checkStore(directory, left);
    const opened = new LmdbFile(directory);
    file = opened;
    await giveToOwner(directory, lockFile);
    readFormat(file, directory);
    await lock.acquire(ownerTable(file, onDamage));
    file.openTables();
    checkChunks(file, onDamage);
    space = await FreeSpace.open(file.path, file);
    const from = readFormat(file, directory);
    if (from === undefined) file.writeExclusively(() => changesFrom(opened, from));
    else if (from !== format && !isReadOnly) await migrate(from, { directory, file, space, onProgress });
    if (!isReadOnly) await beginEpochOfCopy(opened, space, onNewEpoch);
    await syncDirectory(directory);
    lock.snapshots.serve((path) => copyWithin(opened, directory, path));
    lock.lease.watch(opened.files);
    const kind = { isDoubtful: onDamage !== undefined, ...(isReadOnly && { readOnlyFormat: from }) };
    return new LmdbStore({ directory, file, space, lock, onClosed, ...kind });
  } catch (error) {
    await file?.close();
    await space?.close();
    await lock.release('');
    throw error;
  }
}

/** @throws LogDamagedError without `onDamage` */
function checkChunks(file: LmdbFile, onDamage: LmdbStoreOptions['onDamage']): void {
  try {
    file.checkCount('chunks');
  } catch (error) {
    if (!onDamage || !(error instanceof LogDamagedError)) throw error;
    onDamage(error.message);
  }
}

interface LmdbStoreParts {
  readonly directory: string;
  readonly file: LmdbFile;
  readonly space: FreeSpace;
  readonly lock: Pick<DirectoryLock, 'lease' | 'release'>;
  readonly onClosed?: (() => void) | undefined;
  /** Whether the store may be damaged, so that the next owner must check it. */
  readonly isDoubtful?: boolean;
  /** The format of the data, if the store takes no commits. */
  readonly readOnlyFormat?: number | undefined;
}

/**
 * A store in an LMDB data file. A commit resolves after it is on the disk, and survives a power cut. Every
 * value has a checksum.
 */
export class LmdbStore implements Store, DiskFigures {
  readonly level = 'disk';
  readonly syncSeconds: Histogram = Histogram.ofSeconds();
  readonly #parts: LmdbStoreParts;
  readonly #file: LmdbFile;
  #failure: StoreFailedError | undefined;
  #closing: Promise<void> | undefined;
  /** The state after the last commit. */
  #state: LogState | undefined;

  constructor(parts: LmdbStoreParts) {
    this.#parts = parts;
    this.#file = parts.file;
    if ('readOnlyFormat' in parts)
      this.#failure = new StoreFailedError('The store is open for reading only.');
  }

  get diskBytes(): number {
    const { dataBytes, freeBytes } = this.#file;
    return dataBytes - freeBytes;
  }

  async freeBytes(): Promise<number | undefined> {
    const space = await statfs(this.#parts.directory).catch(() => undefined);
    return space && space.bavail * space.bsize;
  }

  readState(): LogState | undefined {
    return readLogState(this.#file, this.#parts.readOnlyFormat);
  }

  readTopics(fromNumber?: TopicNumber): Iterable<TopicRecord> {
    if (!fromNumber) return this.#file.readAll('topics', codec.decodeTopic);
    return this.#file.read('topics', codec.decodeTopic, codec.topicKey(fromNumber));
  }

  readIds(fromBlock: number): Iterable<IdBlock> {
    if (fromBlock === 0) return this.#file.readAll('ids', codec.decodeIds);
    return this.#file.read('ids', codec.decodeIds, codec.blockKey(fromBlock));
  }

  readBlocks(fromBlock: number): Iterable<Block> {
    if (fromBlock === 0) return this.#file.readAll('blocks', codec.decodeBlock);
    return this.#file.read('blocks', codec.decodeBlock, codec.blockKey(fromBlock));
  }

  blockBefore(block: number): Block | undefined {
    return this.#file.readLast('blocks', codec.decodeBlock, firstKey, codec.blockKey(block));
  }

  *readChunks(topic: TopicNumber, fromBlock: number): Generator<Chunk, void, undefined> {
    const end = codec.topicKey(topic + 1);
    let last = fromBlock - 1;
    for (const chunk of this.#file.read('chunks', decodeChunk, chunkKey(topic, fromBlock), end)) {
      if (chunk.topic !== topic || chunk.block <= last) throw damagedAfter(topic, last, chunk.block);
      last = chunk.block;
      yield chunk;
    }
    // A damaged key can look like the end of the topic.
    const newest = this.#file.readLast('chunks', (_, key) => blockOf(key), codec.topicKey(topic), end);
    if (newest !== undefined && newest > last) throw damagedAfter(topic, last, newest);
  }

  chunkBefore(topic: TopicNumber, block: number): Chunk | undefined {
    return this.#file.readLast('chunks', decodeChunk, codec.topicKey(topic), chunkKey(topic, block));
  }

  chunk(topic: TopicNumber, block: number): Chunk | undefined {
    const key = chunkKey(topic, block);
    const value = this.#file.get('chunks', key);
    return value && decodeChunk(value, key);
  }

  async commit(commit: StoreCommit): Promise<void> {
    if (this.#failure) throw this.#failure;
    const { lease } = this.#parts.lock;
    await lease.beforeCommit();
    await this.#write([...this.#changes(commit)], removes(commit));
    await lease.afterCommit();
    this.#state = commit.state;
  }

  /** Copies the data, without its free pages. See {@link LmdbFile.copyTo}. */
  copyTo(path: string): Promise<void> {
    return this.#file.copyTo(path, true);
  }

  close(): Promise<void> {
    const isSound = this.#failure === undefined || 'readOnlyFormat' in this.#parts;
    this.#failure ??= new StoreFailedError('The store is closed.');
    return (this.#closing ??= this.#close(isSound));
  }

  /** @throws LogFullError, LogUnwritableError; LogUncertainError if a part of the commit may be stored */
  async #write(changes: readonly Change[], isRemoval: boolean): Promise<void> {
    const { directory, space, lock } = this.#parts;
    const { lease } = lock;
    const bytes = bytesMax(changes);
    let isBegun = false;
    try {
      await space.reserve(bytes, isRemoval);
      isBegun = true;
      const begun = performance.now();
      const isWritten = await this.#file.writeAsOwner(ownerKey(lease.owner), changes);
      this.syncSeconds.note((performance.now() - begun) / 1_000);
      if (isWritten) return;
    } catch (error) {
      const failure = await failureOf(error, directory, bytes);
      if (failure instanceof StoreFailedError) {
        this.#failure = failure;
        // If this fails too, the next read says so.
        await this.#file.reopenIfNeeded().catch(() => {});
        if (isBegun) throw new LogUncertainError(failure.message, failure.summary, { cause: failure });
      }
      throw failure;
    }
    throw lease.lose(ownerTable(this.#file).read());
  }

  async #close(isSound: boolean): Promise<void> {
    const { lock, space, onClosed, isDoubtful = false } = this.#parts;
    const isLeft = isSound && (await this.#removeOwner().catch(() => false)) && !isDoubtful;
    await this.#file.close();
    await space.close();
    await lock.release(isLeft ? fingerprintOf(this.#file.path) : '');
    onClosed?.();
  }

  async #removeOwner(): Promise<boolean> {
    const { lease } = this.#parts.lock;
    await lease.beforeCommit();
    return this.#file.writeAsOwner(ownerKey(lease.owner), [ownerRemoval(lease.owner)]);
  }

  *#changes(commit: StoreCommit): Generator<Change, void, undefined> {
    for (const { topic, block } of commit.removedChunks)
      yield { table: 'chunks', key: chunkKey(topic, block) };
    for (const block of commit.removedBlocks) yield { table: 'blocks', key: codec.blockKey(block) };
    for (const block of commit.removedIds) yield { table: 'ids', key: codec.blockKey(block) };
    for (const number of commit.removedTopics) yield { table: 'topics', key: codec.topicKey(number) };
    for (const chunk of commit.chunks) {
      const key = chunkKey(chunk.topic, chunk.block);
      yield { table: 'chunks', key, value: encodeChunk(chunk, key) };
    }
    for (const block of commit.blocks) {
      yield { table: 'blocks', key: codec.blockKey(block.first), value: codec.encodeBlock(block) };
    }
    for (const ids of commit.ids) {
      yield { table: 'ids', key: codec.blockKey(ids.block), value: codec.encodeIds(ids) };
    }
    for (const topic of commit.topics) {
      yield { table: 'topics', key: codec.topicKey(topic.number), value: codec.encodeTopic(topic) };
    }
    yield* logStateChanges(commit.state, this.#state);
  }
}

/** A commit that writes up to this number of topics needs almost no space. */
const fewTopics = 16;

/**
 * Whether a commit may use the space that is reserved for removals: it writes little more than it removes.
 */
function removes({ chunks, topics, removedChunks, removedTopics }: StoreCommit): boolean {
  const written = topics.filter(({ isDeleted }) => !isDeleted).length;
  return chunks.length === 0 && written <= fewTopics + removedChunks.length + removedTopics.length;
}

/** The pages of LMDB are sound, but the chunk is not the next one. */
function damagedAfter(topic: TopicNumber, block: number, next: number): LogDamagedError {
  const cause = new Error(`The next block is ${next}.`);
  return damaged(`the data after block ${block} of topic number ${topic}`, cause);
}
