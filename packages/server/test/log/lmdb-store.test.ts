import type { Topic } from '@fanfare/protocol';
import { until } from '../../../../test/waits.ts';
import { LogFullError, LogUncertainError, LogUnwritableError } from '../../src/log/topic-log.ts';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FreeSpace } from '../../src/log/store/lmdb/free-space.ts';
import { LmdbFile } from '../../src/log/store/lmdb/lmdb-file.ts';
import { ownerTable } from '../../src/log/store/ownership/owner-table.ts';
import { LmdbStore, openLmdbStore } from '../../src/log/store/lmdb/lmdb-store.ts';
import { thisMachine } from '../../src/log/store/ownership/process-liveness.ts';
import { DirectoryLock } from '../../src/log/store/ownership/directory-lock.ts';
import { StoreFailedError, type Chunk, type Store, type TopicRecord } from '../../src/log/store/store.ts';
import { chunkOf, commitOf, storeContract } from '../contracts/store.contract.ts';
import { ScriptProcess } from './server-process.ts';

let scratch: string;
let count = 0;

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'fanfare-test-'));
});

afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const directories = new Map<Store, string>();

async function openIn(directory: string): Promise<LmdbStore> {
  const store = await openLmdbStore(directory);
  directories.set(store, directory);
  return store;
}

function newDirectory(): string {
  return join(scratch, String(count++));
}

storeContract('LmdbStore', {
  open: () => openIn(newDirectory()),
  reopen: (closed) => openIn(directories.get(closed) ?? ''),
  runs: 8,
});

/** A chunk with one message of a given size. */
function chunkOfSize(topic: number, block: number, size: number): Chunk {
  return chunkOf(topic, block, [{ sequence: block, messageJson: 'm'.repeat(size) }]);
}

function topicOf(number: number, name: string): TopicRecord {
  const is = { isDeclared: false, isDeleted: false, keeps: true };
  return { number, name: name as Topic, createdAt: 0, gone: { sequence: 0, ordinal: 0, bytes: 0 }, ...is };
}

function blocksOf(store: Store, topic: number): number[] {
  return [...store.readChunks(topic, 0)].map(({ block }) => block);
}

describe('a store on disk', () => {
  it('a store on disk has every acknowledged commit after the process is killed', async () => {
    const directory = newDirectory();
    const writer = new ScriptProcess(
      `
      const store = await openLmdbStore(args[0]);
      const none = { blocks: [], ids: [], topics: [], removedTopics: [], removedChunks: [], removedBlocks: [], removedIds: [] };
      for (let head = 1; ; head++) {
        const records = [{ sequence: head, messageJson: '"m"' }];
        await store.commit({
          state: { epoch: 'e', head, time: 1, trustedTime: 1, clockSteps: [], revocations: [], topicNumber: 1, deletions: { newest: [], bySegment: new Map(), inCommon: { sequence: 0 } } },
          chunks: [{ topic: 1, block: head, ordinal: head, bytesBefore: 0, time: 1, records }],
          ...none,
        });
        say(String(head));
      }`,
      directory,
    );
    let answered = 0;
    await until('50 commits are acknowledged', () => answered >= 50, {
      step: async () => (answered = Number(await writer.line())),
      soFar: () => answered,
    });
    await writer.kill();
    for (let line = await writer.line(); line !== undefined; line = await writer.line())
      answered = Number(line);
    const store = await openLmdbStore(directory);
    const blocks = blocksOf(store, 1);
    expect(blocks).toEqual(Array.from({ length: blocks.length }, (_, i) => i + 1));
    expect(blocks.length).toBeGreaterThanOrEqual(answered);
    expect(store.readState()?.head).toBe(blocks.length);
    await store.close();
  });

  it('a store on disk reuses the space of what was removed', async () => {
    const directory = newDirectory();
    const store = await openLmdbStore(directory);
    const keptBytesMax = 4_000_000;
    const kept: { topic: number; block: number; size: number }[] = [];
    let keptBytes = 0;
    let written = 0;
    let head = 1;
    const writeMore = async (): Promise<void> => {
      const chunks: Chunk[] = [];
      for (let i = 0; i < 40; i++, head++) {
        const size = head % 199 === 0 ? 2 ** 20 : Math.round(200 * 300 ** ((head * 0.618) % 1));
        const chunk = chunkOfSize(1 + (head % 7), head, size);
        chunks.push(chunk);
        kept.push({ topic: chunk.topic, block: head, size });
        keptBytes += size;
        written += size;
      }
      const removedChunks: { topic: number; block: number }[] = [];
      while (keptBytes > keptBytesMax) {
        const oldest = kept.shift();
        if (!oldest) break;
        removedChunks.push(oldest);
        keptBytes -= oldest.size;
      }
      await store.commit(commitOf({ chunks, removedChunks }));
    };
    await until('many times what is kept was written', () => written >= 15 * keptBytesMax, {
      step: writeMore,
      soFar: () => `${written} bytes`,
      ms: 90_000,
    });
    expect(statSync(join(directory, 'log.mdb')).size).toBeLessThan(3 * keptBytesMax);
    const all = [1, 2, 3, 4, 5, 6, 7].flatMap((topic) => blocksOf(store, topic));
    expect(all.toSorted((a, b) => a - b)).toEqual(kept.map(({ block }) => block));
    await store.close();
  });

  it('a store on disk never returns altered content after a bit of the file has changed', async () => {
    const directory = newDirectory();
    const store = await openLmdbStore(directory);
    for (let head = 1; head < 40; head++) {
      const chunks = [chunkOfSize(1 + (head % 3), head, head % 9 === 0 ? 5_000 : 100)];
      const blocks = [{ first: head, time: head, runs: [{ topic: 1, count: 1 }] }];
      await store.commit(commitOf({ chunks, blocks, removedBlocks: head > 20 ? [head - 20] : [] }));
    }
    await store.close();
    const data = readFileSync(join(directory, 'log.mdb'));
    const used = data.subarray(0, data.findLastIndex((byte) => byte !== 0) + 1);
    const copies: string[] = [];
    for (let i = 0; i < 40; i++) {
      const copy = newDirectory();
      mkdirSync(copy);
      const damagedData = Buffer.from(data);
      // Half of the flips are in the first two pages, which say where everything is.
      const at =
        i % 2 === 0
          ? Math.floor(used.length * ((i * 0.618) % 1))
          : (i % 4 === 1 ? 0 : 4096) + ((i * 7) % 168);
      damagedData[at] = (damagedData[at] ?? 0) ^ (1 << (i % 8));
      writeFileSync(join(copy, 'log.mdb'), damagedData);
      copies.push(copy);
    }
    const expected = await contentOf([directory]);
    expect(expected).toHaveLength(1);
    expect(expected[0]).not.toContain('Error');
    const contents = await contentOf(copies);
    for (const content of contents) expect([expected[0], 'LogDamagedError', 'died']).toContain(content);
    expect(contents.filter((content) => content === 'died').length).toBeLessThan(6);
    expect(contents).toContain('LogDamagedError');
  });
});

/**
 * The content of each directory, read in another process. LMDB trusts its pages, so some damage crashes the
 * process (`died`).
 */
async function contentOf(all: readonly string[]): Promise<string[]> {
  const contents: string[] = [];
  // Each process finishes at least one directory.
  for (let runs = 0; runs <= all.length && contents.length < all.length; runs++) {
    const reader = new ScriptProcess(
      `
      import { createHash } from 'node:crypto';
      for (const directory of args) {
        try {
          const store = await openLmdbStore(directory);
          const chunks = [1, 2, 3].map((topic) =>
            [...store.readChunks(topic, 0)].map((chunk) => ({ ...chunk, records: chunk.records })),
          );
          const content = [store.readState(), [...store.readTopics()], [...store.readBlocks(0)], [...store.readIds(0)], chunks];
          say(createHash('sha256').update(JSON.stringify(content)).digest('hex'));
          await store.close();
        } catch (error) {
          say(error.name);
        }
      }`,
      ...all.slice(contents.length),
    );
    for (let line = await reader.line(); line !== undefined; line = await reader.line()) contents.push(line);
    if ((await reader.end()) !== 0) contents.push('died');
  }
  return contents;
}

/** Mounts a disk of a given size, if this system allows it. */
function mountDisk(directory: string, megabytes: number): boolean {
  mkdirSync(directory, { recursive: true });
  return spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', directory]).status === 0;
}

const probe = join(tmpdir(), `fanfare-test-mount-${process.pid}`);
const canMount = mountDisk(probe, 1);
if (canMount) spawnSync('umount', [probe]);
rmSync(probe, { recursive: true, force: true });

describe.skipIf(!canMount)('a full disk (a test that needs root, to mount a small one)', () => {
  it('a full disk makes commits fail without a trace, and lets them succeed after there is free space', async () => {
    const disk = newDirectory();
    expect(mountDisk(disk, 8)).toBe(true);
    try {
      const store = await openLmdbStore(join(disk, 'data'));
      const kept: number[] = [];
      let head = 0;
      const append = async (): Promise<void> => {
        head++;
        await store.commit(commitOf({ chunks: [chunkOfSize(1, head, 30_000)] }));
        kept.push(head);
      };
      const fill = (): Promise<void> => until('the disk is full', () => false, { step: append });
      await expect(fill()).rejects.toThrow(LogFullError);
      await expect(append()).rejects.toThrow(
        `The disk of the data directory '${join(disk, 'data')}' is full`,
      );
      expect(blocksOf(store, 1)).toEqual(kept);
      expect(store.readState()?.head).toBe(kept.at(-1));
      // A removal frees space, and succeeds on a full disk.
      const gone = kept.splice(0, 150);
      await store.commit(commitOf({ removedChunks: gone.map((block) => ({ topic: 1, block })) }));
      for (let i = 0; i < 20; i++) await append();
      expect(blocksOf(store, 1)).toEqual(kept);
      await expect(fill()).rejects.toThrow(LogFullError);
      spawnSync('mount', ['-o', 'remount,size=16m', disk]);
      for (let i = 0; i < 20; i++) await append();
      expect(blocksOf(store, 1)).toEqual(kept);
      await store.close();
      const reopened = await openLmdbStore(join(disk, 'data'));
      expect(blocksOf(reopened, 1)).toEqual(kept);
      await reopened.close();
    } finally {
      spawnSync('umount', [disk]);
    }
  });

  it('a full disk lets retention remove messages even if many topics were to be stored before', async () => {
    const disk = newDirectory();
    expect(mountDisk(disk, 8)).toBe(true);
    try {
      const store = await openLmdbStore(join(disk, 'data'));
      const kept: number[] = [];
      const append = async (): Promise<void> => {
        const head = kept.length + 1;
        await store.commit(commitOf({ chunks: [chunkOfSize(1, head, 30_000)] }));
        kept.push(head);
      };
      await expect(until('the disk is full', () => false, { step: append })).rejects.toThrow(LogFullError);
      const topics = Array.from({ length: 1_000 }, (_, at) => topicOf(at + 2, `${at}/${'t'.repeat(240)}`));
      await expect(store.commit(commitOf({ topics }))).rejects.toThrow(LogFullError);
      const gone = kept.splice(0, 150);
      await store.commit(commitOf({ removedChunks: gone.map((block) => ({ topic: 1, block })) }));
      expect(blocksOf(store, 1)).toEqual(kept);
      await store.close();
    } finally {
      spawnSync('umount', [disk]);
    }
  });

  it('a full disk is refused for a new store', async () => {
    const disk = newDirectory();
    expect(mountDisk(disk, 2)).toBe(true);
    try {
      await expect(openLmdbStore(join(disk, 'data'))).rejects.toThrow('needs 4 MiB of free space');
    } finally {
      spawnSync('umount', [disk]);
    }
  });
});

describe('a disk that fails', () => {
  it('a failing disk ends all commits, but reading continues', async () => {
    const { store, file } = await openFailing();
    await store.commit(commitOf({ chunks: [chunkOfSize(1, 1, 10)] }));
    const ioError = Object.assign(new Error('Input/output error'), { code: constants.errno.EIO });
    const commitError = Promise.reject(ioError);
    file.failure = Object.assign(new Error('Commit failed'), { commitError });
    // It is unknown whether this commit is on the disk. The next one is certainly not.
    await expect(store.commit(commitOf({ chunks: [chunkOfSize(1, 2, 10)] }))).rejects.toThrow(
      LogUncertainError,
    );
    file.failure = undefined;
    await expect(store.commit(commitOf({ chunks: [chunkOfSize(1, 3, 10)] }))).rejects.toThrow(
      StoreFailedError,
    );
    await expect(store.commit(commitOf({ chunks: [chunkOfSize(1, 3, 10)] }))).rejects.toThrow(
      'cannot be written (Input/output error). Once the disk works again, restart the server.',
    );
    expect(blocksOf(store, 1)).toEqual([1]);
    await store.close();
  });

  it('a failing disk rejects a commit as uncertain when its directory is moved away meanwhile', async () => {
    const { store, file, directory } = await openFailing();
    const away = `${directory}-away`;
    file.onWritten = () => renameSync(directory, away);
    await expect(store.commit(commitOf({ chunks: [chunkOfSize(1, 1, 10)] }))).rejects.toThrow(
      LogUncertainError,
    );
    file.onWritten = undefined;
    renameSync(away, directory);
    const error: unknown = await store
      .commit(commitOf({ chunks: [chunkOfSize(1, 2, 10)] }))
      .catch((e: unknown) => e);
    expect(error).toBeInstanceOf(LogUnwritableError);
    expect(error).not.toBeInstanceOf(LogUncertainError);
    await store.close();
    const reopened = await openLmdbStore(directory);
    expect(blocksOf(reopened, 1)).toEqual([1]);
    await reopened.close();
  });

  it('a full disk fails only one commit', async () => {
    const { store, file } = await openFailing();
    file.failure = Object.assign(new Error('No space left'), { code: constants.errno.ENOSPC });
    await expect(store.commit(commitOf({ chunks: [chunkOfSize(1, 1, 10)] }))).rejects.toThrow(LogFullError);
    file.failure = undefined;
    await store.commit(commitOf({ chunks: [chunkOfSize(1, 2, 10)] }));
    expect(blocksOf(store, 1)).toEqual([2]);
    await store.close();
  });
});

class FailingFile extends LmdbFile {
  failure: Error | undefined;
  onWritten: (() => void) | undefined;

  override async writeAsOwner(...[key, changes]: Parameters<LmdbFile['writeAsOwner']>): Promise<boolean> {
    if (this.failure) throw this.failure;
    const isWritten = await super.writeAsOwner(key, changes);
    this.onWritten?.();
    return isWritten;
  }
}

async function openFailing(): Promise<{ store: LmdbStore; file: FailingFile; directory: string }> {
  const directory = newDirectory();
  await (await openLmdbStore(directory)).close();
  const ignore = (): void => {};
  const events = { onWait: ignore, onLost: ignore, onTrouble: ignore, onRecovered: ignore };
  const lock = new DirectoryLock({ directory, machine: thisMachine(), ...events });
  await lock.waitUntilFree();
  const file = new FailingFile(directory);
  await lock.acquire(ownerTable(file));
  const space = await FreeSpace.open(file.path, file);
  lock.lease.watch(file.files);
  return { store: new LmdbStore({ directory, file, space, lock }), file, directory };
}
