import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { dataFile, ownerFile } from '../../src/log/store/directory/file-names.ts';

import { pageSize } from '../../src/log/store/lmdb/lmdb-file.ts';
import { pageFlags } from '../../src/log/store/check/page-layout.ts';
import { openLmdbStore } from '../../src/log/store/lmdb/lmdb-store.ts';
import { reportDamage } from '../../src/log/store/check/store-check.ts';
import type { Block, Chunk, StoreCommit } from '../../src/log/store/store.ts';
import { LogDamagedError } from '../../src/log/topic-log.ts';
import { chunkOf, commitOf } from '../contracts/store.contract.ts';
import { Damager, type DamagedFile } from '../faults/damage-file.ts';
import { seeded, type Random } from '../faults/random.ts';
import { ScriptProcess } from './server-process.ts';

const rounds = Number(process.env['FANFARE_DAMAGED_FILES'] ?? 1);

/** The commits of a busy log: messages of all sizes come and go. */
class Work {
  readonly #random: Random;
  readonly #kept: Chunk[] = [];
  #head = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  next(): StoreCommit {
    const chunks: Chunk[] = [];
    const blocks: Block[] = [];
    for (let count = this.#random.below(30); count > 0; count--) {
      this.#head++;
      const size = this.#random.pick([10, 100, 300, 1_000, 3_000, 9_000, 50_000]);
      const record = { sequence: this.#head, messageJson: 'm'.repeat(size) };
      chunks.push(chunkOf(1 + this.#random.below(8), this.#head, [record]));
      blocks.push({ first: this.#head, time: this.#head, runs: [{ topic: 1, count: 1 }] });
    }
    const removed: Chunk[] = [];
    const surplus = this.#kept.length - 300;
    for (let count = this.#random.below(Math.max(surplus, 20)); count > 0; count--) {
      const at = this.#random.isOneIn(3) ? this.#random.below(this.#kept.length) : 0;
      removed.push(...this.#kept.splice(at, 1));
    }
    this.#kept.push(...chunks);
    return commitOf({
      chunks,
      blocks,
      removedChunks: removed.map(({ topic, block }) => ({ topic, block })),
      removedBlocks: removed.map(({ block }) => block),
    });
  }
}

function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'fanfare-pages-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

function damagesOf(directory: string): string[] {
  const damages: string[] = [];
  reportDamage(directory, (sentence) => damages.push(sentence));
  return damages;
}

/**
 * Opens each directory unchecked, reads, writes and empties it, in processes of their own. Returns how each
 * ended.
 */
async function use(all: readonly string[]): Promise<readonly string[]> {
  const outcomes: string[] = [];
  // Each process finishes at least one directory.
  for (let runs = 0; runs <= all.length && outcomes.length < all.length; runs++) {
    const user = new ScriptProcess(
      `
      const none = { chunks: [], blocks: [], ids: [], topics: [], removedTopics: [], removedChunks: [], removedBlocks: [], removedIds: [] };
      const deletions = { newest: [], bySegment: new Map(), inCommon: { sequence: 0 } };
      const state = { epoch: 'e', head: 2e9, time: 1, trustedTime: 1, clockSteps: [], revocations: [], topicNumber: 8, deletions };
      for (const directory of args) {
        let store;
        try {
          store = await openLmdbStore(directory, { onDamage() {} });
          store.readState();
          for (const items of [store.readTopics(), store.readBlocks(0), store.readIds(0)]) [...items];
          const chunks = [];
          for (let topic = 1; topic <= 8; topic++) {
            try {
              for (const chunk of store.readChunks(topic, 0)) if (chunk.records) chunks.push(chunk);
            } catch (error) {
              if (error.name !== 'LogDamagedError') throw error;
            }
          }
          for (let count = 1; count <= 10; count++) {
            const block = 1e9 + count;
            const records = [{ sequence: block, messageJson: 'm'.repeat(count * 900) }];
            await store.commit({ ...none, state, chunks: [{ topic: 1, block, ordinal: 1, bytesBefore: 0, time: 1, records }] });
          }
          while (chunks.length > 0) {
            const removedChunks = chunks.splice(0, 50);
            await store.commit({ ...none, state, removedChunks, removedBlocks: removedChunks.map(({ block }) => block) });
          }
          await store.close();
          say('used');
        } catch (error) {
          say(error.name);
          await store?.close().catch(() => {});
        }
      }
      process.exit();`,
      ...all.slice(outcomes.length),
    );
    for (let line = await user.line(); line !== undefined; line = await user.line()) outcomes.push(line);
    const end = await user.end();
    if (end !== 0) outcomes.push(`ended with ${end}`);
  }
  return outcomes;
}

describe('checking the pages of a data file', () => {
  it('the check finds nothing in sound files, whatever was stored in them and removed again', async () => {
    const directory = temporaryDirectory();
    const random = seeded('sound pages');
    const work = new Work(random);
    let store = await openLmdbStore(directory);
    for (let commit = 0; commit < 250 * rounds; commit++) {
      await store.commit(work.next());
      if (random.isOneIn(3)) expect(damagesOf(directory)).toEqual([]);
      if (!random.isOneIn(40)) continue;
      await store.close();
      store = await openLmdbStore(directory);
    }
    await store.close();
    expect(damagesOf(directory)).toEqual([]);
  });

  it('the check finds all damage that crashes a process which reads, writes or empties the file', async () => {
    const random = seeded('damaged pages');
    const directory = temporaryDirectory();
    const whole = join(directory, 'whole');
    const work = new Work(random);
    const store = await openLmdbStore(whole);
    for (let commit = 0; commit < 60; commit++) await store.commit(work.next());
    await store.close();
    const damager = new Damager(readFileSync(join(whole, 'log.mdb')), random);
    const files: (DamagedFile & { readonly copy: string; readonly damages: readonly string[] })[] = [];
    for (let count = 0; count < 108 * rounds; count++) {
      const file = damager.damage();
      const copy = join(directory, String(count));
      mkdirSync(copy);
      writeFileSync(join(copy, 'log.mdb'), file.data);
      files.push({ ...file, copy, damages: damagesOf(copy) });
    }
    const passed = files.filter(({ damages }) => damages.length === 0);
    const outcomes = await use(passed.map(({ copy }) => copy));
    expect(outcomes.filter((outcome) => outcome.startsWith('ended'))).toEqual([]);
    // Most undetected damage is in unused places.
    expect(outcomes.filter((outcome) => outcome === 'used').length).toBeGreaterThan(passed.length / 4);
    // The detected damage would have crashed processes.
    const found = files.filter(({ damages }) => damages.length > 0).slice(0, 30);
    expect((await use(found.map(({ copy }) => copy))).some((outcome) => outcome.startsWith('ended'))).toBe(
      true,
    );
  });

  it('the check finds damage at the next start even if a tool has read and closed the file', async () => {
    const directory = await damagedDirectory((page) => page.writeUInt16LE(page.readUInt16LE(22) - 2, 22));
    const damages: string[] = [];
    const store = await openLmdbStore(directory, {
      isReadOnly: true,
      onDamage: (sentence) => damages.push(sentence),
    });
    await store.close();
    expect(damages).not.toEqual([]);
    await expect(openLmdbStore(directory)).rejects.toThrow(LogDamagedError);
  });

  it('the check keeps the readable part of a file with lost messages for callers that request it', async () => {
    const directory = await damagedDirectory((page) => page.fill(0, pageSize - 760));
    const damages: string[] = [];
    const store = await openLmdbStore(directory, {
      isReadOnly: true,
      onDamage: (sentence) => damages.push(sentence),
    });
    expect(damages).toContain('The list of chunks cannot be read: the data is damaged.');
    expect(store.chunk(1, 20)).toMatchObject({ block: 20 });
    await store.close();
  });

  it('the check keeps the readable part of a file with an unreadable owner for callers that request it', async () => {
    const directory = temporaryDirectory();
    const owner = new ScriptProcess(
      `await openLmdbStore(args[0]); say('open'); setInterval(() => {}, 1_000);`,
      directory,
    );
    expect(await owner.line()).toBe('open');
    await owner.kill();
    const path = join(directory, dataFile);
    const data = readFileSync(path);
    data.write('x', data.lastIndexOf('"host":"') + 8);
    writeFileSync(path, data);
    const sentence = "The data file's owner cannot be read: the data is damaged.";
    await expect(openLmdbStore(directory)).rejects.toThrow(sentence);
    const damages: string[] = [];
    const onDamage = (one: string): void => void damages.push(one);
    await (await openLmdbStore(directory, { isReadOnly: true, onDamage })).close();
    expect(damages).toEqual([sentence]);
  });

  it('the check does not mistake the output of other code in its process for damage', async () => {
    const directory = temporaryDirectory();
    const data = join(directory, 'data');
    const store = await openLmdbStore(data);
    await store.commit(new Work(seeded('printing')).next());
    await store.close();
    rmSync(join(data, ownerFile));
    const printing = join(directory, 'printing.cjs');
    writeFileSync(printing, 'console.log("Loaded."); setInterval(() => {}, 1_000);');
    vi.stubEnv('NODE_OPTIONS', `--require ${printing}`);
    onTestFinished(() => void vi.unstubAllEnvs());
    const opened = await openLmdbStore(data);
    await expect(opened.close()).resolves.toBeUndefined();
  });
});

/** A directory that was left cleanly, and whose pages with messages were damaged afterwards. */
async function damagedDirectory(damage: (page: Buffer) => unknown): Promise<string> {
  const directory = temporaryDirectory();
  const store = await openLmdbStore(directory);
  for (let block = 1; block <= 20; block++) {
    const records = [{ sequence: block, messageJson: 'm'.repeat(700) }];
    await store.commit(commitOf({ chunks: [chunkOf(1, block, records)] }));
  }
  await store.close();
  const path = join(directory, dataFile);
  const data = readFileSync(path);
  for (let at = 2 * pageSize; at < data.length; at += pageSize) {
    const page = data.subarray(at, at + pageSize);
    if (page.readUInt16LE(18) === pageFlags.leaf && page.includes('mmm')) damage(page);
  }
  writeFileSync(path, data);
  return directory;
}
