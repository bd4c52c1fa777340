import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { outcome, Program, temporaryDirectory, fanfare } from '../../../cli/test/harness.ts';
import { format, readFormat } from '../../src/log/store/migration/format.ts';
import { LmdbFile } from '../../src/log/store/lmdb/lmdb-file.ts';
import { openLmdbStore } from '../../src/log/store/lmdb/lmdb-store.ts';
import type { MigrationProgress } from '../../src/log/store/migration/migrate.ts';
import { exportStore, openStore } from '../../src/store-tools/index.ts';
import { UnreliableDisk } from '../faults/power-cut.ts';
import { ServerProcess, startServerProcess, terminate } from '../faults/server-process.ts';
import { Fixture } from './fixtures.ts';
import { ScriptProcess } from './server-process.ts';

const fixture = new Fixture('format-1/killed');
const copyName = 'log.mdb.format-1';

async function formatOf(directory: string): Promise<number | undefined> {
  const file = new LmdbFile(directory);
  try {
    return readFormat(file, directory);
  } finally {
    await file.close();
  }
}

/** Expects a data directory to have everything of its first store, in any format. */
async function expectContent(directory: string): Promise<void> {
  const store = await openStore(directory);
  let lines = '';
  await exportStore(store, {
    onDamage: (sentence) => expect.fail(sentence),
    write: async (some) => void (lines += some),
  });
  await store.close();
  const isWhole = (line: string): boolean => !line.startsWith('sha256:');
  expect(lines.split('\n')).toEqual(expect.arrayContaining(fixture.content.lines.filter(isWhole)));
  expect(lines.trimEnd().split('\n')).toHaveLength(fixture.content.lines.length);
}

/** The copy of a migration, as a separate data directory. */
function copyOf(directory: string): string {
  const restored = join(temporaryDirectory(), 'restored');
  mkdirSync(restored);
  copyFileSync(join(directory, copyName), join(restored, 'log.mdb'));
  return restored;
}

async function expectMigrated(directory: string): Promise<void> {
  expect(await formatOf(directory)).toBe(format);
  await expectContent(directory);
  const copy = copyOf(directory);
  expect(await formatOf(copy)).toBe(1);
  await expectContent(copy);
  expect(readdirSync(directory).filter((name) => name.endsWith('.part'))).toEqual([]);
}

describe('a store of an earlier format', () => {
  it('a store of an earlier format is migrated when a server opens it, and a copy of the old data is kept', async () => {
    const directory = fixture.unpack();
    const told: MigrationProgress[] = [];
    const store = await openLmdbStore(directory, { onMigration: (progress) => told.push(progress) });
    await store.close();
    const copy = join(directory, copyName);
    expect(told).toEqual(
      ['begun', 'copied', 'migrated'].map((step) => ({ step, from: 1, to: format, copy })),
    );
    expect(statSync(copy).mode & 0o777).toBe(0o600);
    expect(statSync(copy).size).toBe(statSync(join(directory, 'log.mdb')).size);
    await expectMigrated(directory);
  });

  it('a store of an earlier format is migrated only once', async () => {
    const directory = fixture.unpack();
    await (await openLmdbStore(directory)).close();
    const copy = readFileSync(join(directory, copyName));
    const again = await openLmdbStore(directory, { onMigration: () => expect.fail('migrated again') });
    await again.close();
    expect(copy.equals(readFileSync(join(directory, copyName)))).toBe(true);
  });

  it('the tools read a store of an earlier format without a migration', async () => {
    const directory = fixture.unpack();
    await expectContent(directory);
    expect(await outcome(fanfare('store', 'verify', directory))).toMatchObject({ code: 0 });
    expect(await outcome(fanfare('store', 'export', directory))).toMatchObject({ code: 0 });
    expect(await formatOf(directory)).toBe(1);
    expect(existsSync(join(directory, copyName))).toBe(false);
  });

  it.each(['begun', 'copied', 'migrated'])(
    'a store of an earlier format is migrated by the next start after one was killed at the step "%s"',
    async (step) => {
      const directory = fixture.unpack();
      const killed = new ScriptProcess(
        `await openLmdbStore(args[0], {
          onMigration: ({ step }) => { if (step === args[1]) process.kill(process.pid, 'SIGKILL'); },
        });`,
        directory,
        step,
      );
      expect(await killed.end()).toBe('SIGKILL');
      expect(await formatOf(directory)).toBe(step === 'migrated' ? format : 1);
      await expectContent(directory);
      await (await openLmdbStore(directory)).close();
      await expectMigrated(directory);
    },
  );

  it('a copy that is unfinished or outdated is made anew', async () => {
    const directory = fixture.unpack();
    writeFileSync(join(directory, `${copyName}.part`), 'half of a copy');
    writeFileSync(join(directory, copyName), 'what an earlier start has left');
    await (await openLmdbStore(directory)).close();
    await expectMigrated(directory);
  });

  it('the server logs a migration, and then serves the store', async () => {
    const directory = fixture.unpack();
    const rules = JSON.stringify(fixture.content.rules);
    const { server, url } = await startServerProcess({ data: directory, port: 0, flags: ['--rules', rules] });
    const lines = server.program.stderr.split('\n').filter((line) => line.includes('was migrated'));
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain(
      `The data directory was migrated from format 1 to ${format}. The data before the migration is in '${join(directory, copyName)}'.`,
    );
    const response = await fetch(`${url}/topics/news/messages?last=2`);
    expect(await response.json()).toMatchObject({ messages: [{ topic: 'news' }, { message: 'the last' }] });
    await terminate(server);
  });
});

const noDisk = UnreliableDisk.missing;

describe.skipIf(noDisk !== undefined)(
  `a power cut while a store is migrated${noDisk === undefined ? '' : ` (skipped: ${noDisk})`}`,
  () => {
    it.each(['begun', 'copied', 'migrated'])(
      'a power cut during a migration leaves one format or the other: at the step "%s"',
      async (step) => {
        const disk = new UnreliableDisk();
        const data = join(disk.data, 'data');
        const built = new URL('../../dist/log/store/lmdb/lmdb-store.js', import.meta.url).href;
        const packed = new URL('fixtures/format-1/killed.mdb.gz', import.meta.url).pathname;
        const program = new Program(
          process.execPath,
          [
            '--input-type=module',
            '-e',
            `import fs from 'node:fs';
          import { gunzipSync } from 'node:zlib';
          import { openLmdbStore } from '${built}';
          const [data, step, packed] = process.argv.slice(1);
          fs.mkdirSync(data);
          const file = fs.openSync(data + '/log.mdb', 'w');
          fs.writeSync(file, gunzipSync(fs.readFileSync(packed)));
          fs.fsyncSync(file);
          fs.closeSync(file);
          await openLmdbStore(data, {
            onMigration: (progress) => { if (progress.step === step) process.kill(process.pid, 'SIGKILL'); },
          });`,
            data,
            step,
            packed,
          ],
          disk.env(),
        );
        await program.exitCode;
        disk.cut();
        expect(await formatOf(data)).toBe(step === 'migrated' ? format : 1);
        if (step !== 'begun') await expectContent(copyOf(data));
        await (await openLmdbStore(data)).close();
        await expectMigrated(data);
      },
    );
  },
);

const noMount = whyNoMount();

describe.skipIf(noMount !== undefined)(
  `a disk without space for the copy${noMount === undefined ? '' : ` (skipped: ${noMount})`}`,
  () => {
    it('a disk without space for the copy is reported in a sentence, and nothing is changed', async () => {
      const disk = temporaryDirectory();
      spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${20 * 1_048_576}`, 'tmpfs', disk]);
      onTestFinished(() => void spawnSync('umount', ['--lazy', disk]));
      const directory = join(disk, 'data');
      mkdirSync(directory);
      copyFileSync(join(fixture.unpack(), 'log.mdb'), join(directory, 'log.mdb'));
      writeFileSync(join(disk, 'filler'), new Uint8Array(3 * 1_048_576));
      const { code, stderr } = await outcome(new ServerProcess({ data: directory, port: 0 }).program);
      expect(code).toBe(1);
      expect(stderr).toMatch(
        /The data directory '.*' has format 1\. Before its migration to format 4 a copy is made, and that failed: its disk lacks \d+ MiB of free space\. Free some space, or move the directory to a larger disk\. Nothing was changed\./,
      );
      expect(readdirSync(directory).filter((name) => name.startsWith('log.mdb.'))).toEqual([]);
      expect(await formatOf(directory)).toBe(1);
      await expectContent(directory);
    });
  },
);

function whyNoMount(): string | undefined {
  if (process.platform !== 'linux') return 'tmpfs is for Linux';
  if (process.getuid?.() !== 0) return 'only root can mount a tmpfs';
  const probe = spawnSync('unshare', ['--mount', 'mount', '-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', '/mnt']);
  return probe.status === 0 ? undefined : 'a tmpfs cannot be mounted here';
}
