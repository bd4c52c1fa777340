import { Buffer } from 'node:buffer';
import { open as openFile } from 'node:fs/promises';
import { constants } from 'node:os';
import { join } from 'node:path';
import { IF_EXISTS, open, type Database, type RootDatabase } from 'lmdb';
import { DataDirectoryError } from '../directory/data-directory.ts';
import { dataFile } from '../directory/file-names.ts';
import type { SpaceUse } from './free-space.ts';
import { checkHeader } from '../check/meta-pages.ts';
import { FileIdentities } from '../directory/file-identity.ts';
import { damaged } from '../encoding/checksum.ts';
import { LogDamagedError } from '../../topic-log.ts';

type Table = Database<Buffer, Buffer>;
type Root = RootDatabase<Buffer, Buffer>;

export const tableNames = ['singles', 'owners', 'topics', 'blocks', 'ids', 'chunks'] as const;

/** One table for each kind of value. `singles` has the values of which there is only one. */
type TableName = (typeof tableNames)[number];

/** Puts a value, or removes the key if there is none. */
export interface Change {
  readonly table: TableName;
  readonly key: Buffer;
  readonly value?: Buffer;
}

export const pageSize = 4096;

/** The statistics of a table. Those of the root table are for the file. */
interface LmdbStats {
  readonly pageSize?: number;
  readonly treeBranchPageCount?: number;
  readonly treeLeafPageCount?: number;
  readonly overflowPages?: number;
  readonly entryCount?: number;
  readonly lastPageNumber?: number;
  readonly free?: LmdbStats;
}

const metaPages = 2;

/** Counting so many keys takes a tenth of a second if they are in memory. */
const countedMax = 2_000_000;

/** Comes before every other key. */
export const firstKey: Buffer = Buffer.alloc(1);

export const tableOptions = {
  keyEncoding: 'binary',
  encoder: {
    encode: (value: Buffer): Buffer => value,
    // Copies the value: its memory is reused for the next one, and is longer than `length`.
    decode: (bytes: Uint8Array): Buffer => {
      const { length } = bytes;
      const value = Buffer.allocUnsafe(length);
      value.set(bytes.subarray(0, length));
      return value;
    },
  },
} as const;

/**
 * The data file: tables of binary keys and values, in the order of their keys.
 *
 * Values are copied out of the memory map. A range must be used up or dropped in the turn of the event loop
 * in which it was created: until then, LMDB keeps removed pages.
 */
export class LmdbFile implements SpaceUse {
  readonly path: string;
  readonly files: FileIdentities;
  readonly #directory: string;
  #root: Root;
  #isClosed = false;
  /** Closing the file while LMDB copies it would crash the process. */
  readonly #copying = new Set<Promise<void>>();
  readonly #tables = new Map<TableName, Table>();

  /** @throws LogDamagedError, DataDirectoryError */
  constructor(directory: string) {
    this.path = join(directory, dataFile);
    this.#directory = directory;
    this.#root = openRoot(directory, this.path);
    this.files = new FileIdentities(directory);
  }

  /**
   * Opens all tables, and creates missing ones. Without this, a table is opened on first use.
   *
   * @throws LogDamagedError, DataDirectoryError
   */
  openTables(): void {
    try {
      for (const name of tableNames) this.#table(name);
    } catch (error) {
      throw unusable(this.#directory, this.path, error);
    }
  }

  /** @throws LogDamagedError, like all methods that read */
  get(table: TableName, key: Buffer): Buffer | undefined {
    try {
      return this.#table(table).get(key);
    } catch (error) {
      throw this.#unreadable(error);
    }
  }

  /** Reads a table from `start` on, and before `end`. */
  *read<T>(
    table: TableName,
    decode: (value: Buffer, key: Buffer) => T,
    start: Buffer,
    end?: Buffer,
  ): Generator<T, void, undefined> {
    try {
      const range = this.#table(table).getRange(end ? { start, end } : { start });
      for (const { key, value } of range) yield decode(value, key);
    } catch (error) {
      throw this.#unreadable(error);
    }
  }

  /** Reads a whole table, and makes sure that nothing is missing. */
  *readAll<T>(table: TableName, decode: (value: Buffer, key: Buffer) => T): Generator<T, void, undefined> {
    let last: Buffer | undefined;
    let count = 0;
    const pair = (value: Buffer, key: Buffer): { key: Buffer; item: T } => ({
      key,
      item: decode(value, key),
    });
    for (const { key, item } of this.read(table, pair, firstKey)) {
      if (last && last.compare(key) >= 0)
        throw damaged(`the list of ${table}`, new Error('It is out of order.'));
      last = key;
      count++;
      yield item;
    }
    const { entryCount }: LmdbStats = this.#table(table).getStats();
    if (count !== entryCount)
      throw damaged(`the list of ${table}, which has ${count} entries instead of ${entryCount},`);
  }

  /**
   * Makes sure that no page of a table has lost keys, if the table is small enough to count them.
   *
   * @throws LogDamagedError
   */
  checkCount(table: TableName): void {
    const { entryCount = 0 }: LmdbStats = this.#table(table).getStats();
    if (entryCount > countedMax) return;
    let count: number;
    try {
      count = this.#table(table).getKeysCount({ start: firstKey });
    } catch (error) {
      throw this.#unreadable(error);
    }
    if (count === entryCount) return;
    throw damaged(`the list of ${table}`, new Error(`It has ${count} entries instead of ${entryCount}.`));
  }

  /** Reads the last entry of a table up to `end` and after `start`. */
  readLast<T>(
    table: TableName,
    decode: (value: Buffer, key: Buffer) => T,
    start: Buffer,
    end: Buffer,
  ): T | undefined {
    try {
      const [last] = this.#table(table).getRange({ start: end, end: start, reverse: true, limit: 1 });
      return last && decode(last.value, last.key);
    } catch (error) {
      throw this.#unreadable(error);
    }
  }

  /**
   * Makes all changes or none, and resolves after they are on the disk.
   *
   * @param key - of the owner. The changes are made only if it is in the table of owners, which is checked in
   * the same transaction
   * @returns whether they were made
   */
  async writeAsOwner(key: Buffer, changes: readonly Change[]): Promise<boolean> {
    return this.#table('owners').ifVersion(key, IF_EXISTS, () => this.#change(changes));
  }

  /**
   * Makes changes in an exclusive transaction, and returns after they are on the disk.
   *
   * @param decide - yields the changes. Its reads see its own earlier changes
   * @throws LogDamagedError, DataDirectoryError
   */
  writeExclusively(decide: () => Iterable<Change>): void {
    try {
      this.#root.transactionSync(() => {
        this.#change(decide());
      });
    } catch (error) {
      throw unusable(this.#directory, this.path, error);
    }
  }

  get dataBytes(): number {
    return dataBytesOf(this.#root.getStats());
  }

  /** Reads the statistics of all tables, which takes some ten times as long as {@link dataBytes}. */
  get freeBytes(): number {
    const root: LmdbStats = this.#root.getStats();
    const all = [root, root.free, ...tableNames.map((name): LmdbStats => this.#table(name).getStats())];
    const usedPages = all.reduce((sum, stats) => sum + pagesOf(stats), metaPages);
    return Math.max(0, dataBytesOf(root) - usedPages * pageBytesOf(root));
  }

  /** Opens the file anew if a failed write has stopped LMDB from reading. */
  async reopenIfNeeded(): Promise<void> {
    try {
      this.#root.resetReadTxn();
      this.get('singles', Buffer.from('any'));
    } catch (error) {
      // The path leads to another store now.
      if (this.files.check()?.kind === 'gone') throw error;
      await this.close();
      this.#tables.clear();
      this.#root = openRoot(this.#directory, this.path);
      this.#isClosed = false;
      this.openTables();
    }
  }

  /**
   * Copies the data as of the newest commit, without blocking the event loop. The copy survives a power cut.
   *
   * @param path - of the copy, which MUST NOT exist
   * @param isCompact - leaves out the free pages. Damaged pages can crash the process then
   */
  async copyTo(path: string, isCompact: boolean): Promise<void> {
    if (this.#isClosed) throw new Error('The server is stopping.');
    const copying = this.#root.backup(path, isCompact);
    const ended = copying.catch(() => {});
    this.#copying.add(ended);
    try {
      await copying;
    } finally {
      this.#copying.delete(ended);
    }
    const copy = await openFile(path, 'r+');
    try {
      await copy.chmod(0o600);
      await copy.sync();
    } finally {
      await copy.close();
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all(this.#copying);
    await this.#root.close();
  }

  /** Errors of LMDB and lmdb-js while reading mean damage: pages have no checksums. */
  #unreadable(error: unknown): unknown {
    if (this.#isClosed || error instanceof LogDamagedError) return error;
    return damaged(`the data file '${this.path}'`, error);
  }

  #change(changes: Iterable<Change>): void {
    for (const { table, key, value } of changes) {
      void (value ? this.#table(table).put(key, value) : this.#table(table).remove(key));
    }
  }

  #table(name: TableName): Table {
    let table = this.#tables.get(name);
    if (!table) {
      table = this.#root.openDB<Buffer, Buffer>(name, { ...tableOptions });
      this.#tables.set(name, table);
    }
    return table;
  }
}

function pageBytesOf(root: LmdbStats): number {
  return root.pageSize ?? pageSize;
}

function dataBytesOf(root: LmdbStats): number {
  return ((root.lastPageNumber ?? 0) + 1) * pageBytesOf(root);
}

function pagesOf(stats: LmdbStats | undefined): number {
  if (!stats) return 0;
  return (stats.treeBranchPageCount ?? 0) + (stats.treeLeafPageCount ?? 0) + (stats.overflowPages ?? 0);
}

/** The number of an LMDB error. */
function codeOf(error: unknown): number | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'number' ? error.code : undefined;
}

function openRoot(directory: string, path: string): Root {
  const options = {
    ...tableOptions,
    path,
    permissionsMode: 0o600,
    maxDbs: 2 * tableNames.length,
    // A change must resolve only after it is on the disk.
    overlappingSync: false,
    eventTurnBatching: false,
  };
  try {
    checkHeader(path);
    return open<Buffer, Buffer>(options);
  } catch (error) {
    throw unusable(directory, path, error);
  }
}

/** Converts an LMDB error into one for the operator who starts the server. */
function unusable(directory: string, path: string, error: unknown): unknown {
  const code = codeOf(error);
  if (code === undefined) return error;
  // LMDB's own errors, for a damaged or foreign file, are negative.
  if (code < 0) {
    return new LogDamagedError(
      `The data file '${path}' cannot be opened (${String(error)}): it is damaged, or not a data file of Fanfare.`,
      { cause: error },
    );
  }
  const advice =
    code === constants.errno.ENOSPC ? 'Free some space on its disk' : 'Make sure that it can be written';
  return new DataDirectoryError(
    `The data directory '${directory}' cannot be used (${String(error)}). ${advice}, or name another directory.`,
    { cause: error },
  );
}
