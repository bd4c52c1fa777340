import { Buffer } from 'node:buffer';
import { constants } from 'node:os';
import { join } from 'node:path';
import { IF_EXISTS, open, type Database, type RootDatabase } from 'lmdb';
import { DataDirectoryError } from '../directory/data-directory.ts';
import { dataFile } from '../directory/file-names.ts';
import type { SpaceStats } from './free-space.ts';
import { checkHeader } from '../check/meta-pages.ts';
import { FileIdentities } from '../directory/file-identity.ts';
import { damaged } from '../encoding/checksum.ts';
import { LogDamagedError } from '../../topic-log.ts';

type Table = Database<Buffer, Buffer>;
type Root = RootDatabase<Buffer, Buffer>;

export const tableNames = ['singles', 'owners', 'topics', 'blocks', 'ids', 'chunks'] as const;

/** Each kind of thing has a table of its own; `singles` has what there is one of. */
type TableName = (typeof tableNames)[number];

/** A value to put, or none to remove what is there. */
export interface Change {
  readonly table: TableName;
  readonly key: Buffer;
  readonly value?: Buffer;
}

export const pageSize = 4096;

/** What lmdb tells of a table, and of the file when it is asked for the root's. */
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

/** So many keys are counted in a tenth of a second, when they are in memory. */
const countedMax = 2_000_000;

/** Comes before every other key. */
export const firstKey: Buffer = Buffer.alloc(1);

export const tableOptions = {
  keyEncoding: 'binary',
  encoder: {
    encode: (value: Buffer): Buffer => value,
    // The bytes are in memory that is used again for the next value. `length` is that of the value; the memory
    // itself is longer.
    decode: (bytes: Uint8Array): Buffer => {
      const { length } = bytes;
      const value = Buffer.allocUnsafe(length);
      value.set(bytes.subarray(0, length));
      return value;
    },
  },
} as const;

/**
 * The data file: tables of bytes by bytes, in the order of their keys.
 *
 * Values are copied out of the file's memory map when they are read. A range must be used up or given up in the turn
 * in which it was begun: until then, LMDB keeps what has been removed.
 */
export class LmdbFile {
  readonly path: string;
  readonly files: FileIdentities;
  readonly #directory: string;
  #root: Root;
  #isClosed = false;
  readonly #tables = new Map<TableName, Table>();

  /** @throws LogDamagedError, DataDirectoryError */
  constructor(directory: string) {
    this.path = join(directory, dataFile);
    this.#directory = directory;
    this.#root = openRoot(directory, this.path);
    this.files = new FileIdentities(directory);
  }

  /**
   * Opens all tables, and makes those that there are not: a table that is not open yet is opened when it is used.
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

  /** @throws LogDamagedError, as all that reads does */
  get(table: TableName, key: Buffer): Buffer | undefined {
    try {
      return this.#table(table).get(key);
    } catch (error) {
      throw this.#unreadable(error);
    }
  }

  /** Reads what a table has from `start` on, and before `end`. */
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

  /** Reads all that a table has, and sees to it that it is all. */
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
      throw damaged(`the list of ${table}, which are ${count} in place of ${entryCount},`);
  }

  /**
   * Sees to it that no page of a table has lost some of its keys, if the table has so few that they can be counted
   * in no time.
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
    throw damaged(`the list of ${table}`, new Error(`It has ${count} in place of ${entryCount}.`));
  }

  /** Reads the last that a table has up to `end`, and after `start`. */
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
   * Makes all changes, or none. Resolves once they are on the disk.
   *
   * @param key - has to be among the owners when they are made, which is asked within their transaction
   * @returns whether it was; if not, nothing has changed
   */
  async writeAsOwner(key: Buffer, changes: readonly Change[]): Promise<boolean> {
    return this.#table('owners').ifVersion(key, IF_EXISTS, () => this.#change(changes));
  }

  /**
   * Makes the changes that it is given, if any, while nobody else can make some. Returns once they are on the disk.
   *
   * @param decide - reads what it has changed so far
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

  /** How much of the file has data, as the last change left it, and how much of that is free again. */
  get space(): SpaceStats {
    const root: LmdbStats = this.#root.getStats();
    const all = [root, root.free, ...tableNames.map((name): LmdbStats => this.#table(name).getStats())];
    const usedPages = all.reduce((sum, stats) => sum + pagesOf(stats), metaPages);
    const dataPages = (root.lastPageNumber ?? 0) + 1;
    const pageBytes = root.pageSize ?? pageSize;
    return { dataBytes: dataPages * pageBytes, freeBytes: Math.max(0, dataPages - usedPages) * pageBytes };
  }

  /** After some failures to write, LMDB reads no more until the file is opened anew. */
  async reopenIfNeeded(): Promise<void> {
    try {
      this.#root.resetReadTxn();
      this.get('singles', Buffer.from('any'));
    } catch (error) {
      // What is at the path now is another store.
      if (this.files.check()?.kind === 'gone') throw error;
      await this.close();
      this.#tables.clear();
      this.#root = openRoot(this.#directory, this.path);
      this.#isClosed = false;
      this.openTables();
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#root.close();
  }

  /** What LMDB or lmdb-js stumble over: pages have no checksums. */
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

function pagesOf(stats: LmdbStats | undefined): number {
  if (!stats) return 0;
  return (stats.treeBranchPageCount ?? 0) + (stats.treeLeafPageCount ?? 0) + (stats.overflowPages ?? 0);
}

/** The number that LMDB's errors have. */
function codeOf(error: unknown): number | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'number' ? error.code : undefined;
}

function openRoot(directory: string, path: string): Root {
  const options = {
    ...tableOptions,
    path,
    permissionsMode: 0o600,
    maxDbs: 2 * tableNames.length,
    // A change resolves only once it is on the disk.
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

/** What an error of LMDB's means to who starts the server. */
function unusable(directory: string, path: string, error: unknown): unknown {
  const code = codeOf(error);
  if (code === undefined) return error;
  // LMDB's own numbers, for a damaged or foreign file, are below zero.
  if (code < 0) {
    return new LogDamagedError(
      `The data file '${path}' cannot be opened (${String(error)}): it is damaged, or not Fanfare's.`,
      { cause: error },
    );
  }
  const advice =
    code === constants.errno.ENOSPC ? 'Make room on its disk' : 'See to it that it can be written';
  return new DataDirectoryError(
    `The data directory '${directory}' cannot be used (${String(error)}). ${advice}, or name another one.`,
    { cause: error },
  );
}
