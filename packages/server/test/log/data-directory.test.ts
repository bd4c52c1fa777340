import {
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LmdbFile, type Change } from '../../src/log/store/lmdb/lmdb-file.ts';
import { openLmdbStore } from '../../src/log/store/lmdb/lmdb-store.ts';
import { networkStorageOf } from '../../src/log/store/directory/network-storage.ts';
import { encodeText } from '../../src/log/store/encoding/record-codec.ts';
import { kinds } from '../../src/log/store/encoding/checksum.ts';
import { ScriptProcess } from './server-process.ts';

let scratch: string;
let directory: string;

beforeEach(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'fanfare-test-'));
  directory = join(scratch, 'data');
});

afterEach(() => rmSync(scratch, { recursive: true, force: true }));

const ownAndStay = `
  const store = await openLmdbStore(args[0]);
  say('open');
  setInterval(() => {}, 1_000);`;

describe('the data directory', () => {
  it('the data directory is created with access only for its owner', async () => {
    const store = await openLmdbStore(join(directory, 'deeper'));
    expect(statSync(join(directory, 'deeper')).mode & 0o777).toBe(0o700);
    expect(statSync(join(directory, 'deeper', 'log.mdb')).mode & 0o777).toBe(0o600);
    await store.close();
  });

  it('the data directory is refused while another server has it, and free as soon as that one is killed', async () => {
    const owner = new ScriptProcess(ownAndStay, directory);
    expect(await owner.line()).toBe('open');
    expect(await refusalOf(directory)).toMatch(
      /^DataDirectoryError: The data directory '.*data' is in use by another server \(process \d+ on .+\)\. Stop/,
    );
    await owner.kill();
    const store = await openLmdbStore(directory);
    expect(sockets()).toHaveLength(1);
    await store.close();
    expect(sockets()).toHaveLength(0);
  });

  it('the owner of a data directory loses no commit to servers that are refused, however many try', async () => {
    // LMDB can lose a commit if another process opens the data file during it.
    const owner = new ScriptProcess(
      `
      const store = await openLmdbStore(args[0]);
      say('open');
      const none = { blocks: [], ids: [], topics: [], removedTopics: [], removedChunks: [], removedBlocks: [], removedIds: [] };
      let head = 0;
      for (const end = performance.now() + 10_000; performance.now() < end;) {
        head++;
        const records = [{ sequence: head, messageJson: '"m"' }];
        await store.commit({
          state: { epoch: 'e', head, time: 1, trustedTime: 1, clockSteps: [], revocations: [], topicNumber: 1, deletions: { newest: [], bySegment: new Map(), inCommon: { sequence: 0 } } },
          chunks: [{ topic: 1, block: head, ordinal: head, bytesBefore: 0, time: 1, records }],
          ...none,
        });
      }
      const blocks = [...store.readChunks(1, 0)].map(({ block }) => block);
      say(\`\${head} \${blocks.length}\`);
      process.exit();`,
      directory,
    );
    expect(await owner.line()).toBe('open');
    const others = [1, 2].map(
      () =>
        new ScriptProcess(
          `
          let refused = 0;
          for (const end = performance.now() + 9_000; performance.now() < end;)
            await openLmdbStore(args[0]).catch(() => refused++);
          say(String(refused));`,
          directory,
        ),
    );
    for (const other of others) expect(Number(await other.line())).toBeGreaterThan(100);
    const [acknowledged, kept] = ((await owner.line()) ?? '0 nothing').split(' ');
    expect(kept).toBe(acknowledged);
  });

  it('the data directory is refused to a second server in the same process until the first one is closed', async () => {
    const first = await openLmdbStore(directory);
    await expect(openLmdbStore(directory)).rejects.toThrow('is in use by another server');
    await first.close();
    const second = await openLmdbStore(directory);
    await second.close();
  });

  it('the data directory has one owner when several servers start at the same time', async () => {
    // The losers give up while the winner reads the note of the last owner. Any order can happen.
    for (let round = 0; round < 40; round++) {
      const opening = Array.from({ length: 4 }, () => openLmdbStore(join(directory, String(round))));
      const results = await Promise.allSettled(opening);
      const stores = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
      expect(stores).toHaveLength(1);
      await Promise.all(stores.map((store) => store.close()));
    }
  });

  it('a data directory stays with its owner when connections have used up all file descriptors', async () => {
    const owner = new ScriptProcess(
      `
      import { openSync } from 'node:fs';
      let later = 0;
      const machine = { ...thisMachine(), monotonicMs: () => performance.now() + later, wallMs: () => Date.now() + later };
      const store = await openLmdbStore(args[0], { machine });
      try {
        for (;;) openSync('/dev/null');
      } catch {}
      const none = { chunks: [], blocks: [], ids: [], topics: [], removedTopics: [], removedChunks: [], removedBlocks: [], removedIds: [] };
      const deletions = { newest: [], bySegment: new Map(), inCommon: { sequence: 0 } };
      const state = { epoch: 'e', head: 0, time: 1, trustedTime: 1, clockSteps: [], topicNumber: 0, deletions };
      for (; later < 30_000; later += 10_000) await store.commit({ ...none, state }).then(() => say('stored'), (error) => say(error.message));
      process.exit();`,
      directory,
    );
    for (let count = 0; count < 3; count++) expect(await owner.line()).toBe('stored');
  });

  describe.skipIf(process.getuid?.() !== 0)('the directory of another user (needs root)', () => {
    const user = 65_534;
    const openAsUser = `
      process.seteuid(${user});
      const store = await openLmdbStore(args[0]).catch((error) => say(error.name + ': ' + error.message));
      if (store) say('open');
      process.exit();`;
    const leaveTo = (uid: number, names: readonly string[]): void => {
      for (const path of [scratch, ...names.map((name) => join(directory, name))]) chownSync(path, uid, uid);
    };

    it('a data directory of another user can be opened by its user after root has read it', async () => {
      await (await openLmdbStore(directory)).close();
      leaveTo(user, ['', ...readdirSync(directory)]);
      rmSync(join(directory, 'log.mdb-lock'));
      const store = await openLmdbStore(directory, { isReadOnly: true });
      expect(sockets()).toHaveLength(1);
      const owners = readdirSync(directory).map((name) => lstatSync(join(directory, name)).uid);
      expect(new Set(owners)).toEqual(new Set([user]));
      await store.close();
      expect(await new ScriptProcess(openAsUser, directory).line()).toBe('open');
    });

    it('a data directory is refused in a clear sentence when a file in it belongs to another user', async () => {
      await (await openLmdbStore(directory)).close();
      leaveTo(user, ['', 'log.mdb', 'log.mdb-lock']);
      expect(await new ScriptProcess(openAsUser, directory).line()).toMatch(
        /^DataDirectoryError: Cannot tell whether the data directory .* is in use: EACCES: .*log\.mdb-owner/,
      );
    });
  });

  it('the lock of a data directory does not keep the process alive', async () => {
    const process = new ScriptProcess(`await openLmdbStore(args[0]); say('open');`, directory);
    expect(await process.line()).toBe('open');
    expect(await process.end()).toBe(0);
  });

  it('the path of a data directory can be too long for a socket', async () => {
    directory = join(scratch, 'x'.repeat(120), 'y'.repeat(120));
    const store = await openLmdbStore(directory);
    await expect(openLmdbStore(directory)).rejects.toThrow('is in use by another server');
    await store.close();
    expect(sockets()).toHaveLength(0);
  });

  it('a data directory can be copied while a server has it', async () => {
    const store = await openLmdbStore(directory);
    const copy = join(scratch, 'copy');
    mkdirSync(copy);
    writeFileSync(join(copy, 'log.mdb'), readFileSync(join(directory, 'log.mdb')));
    const second = await openLmdbStore(copy);
    await expect(second.close()).resolves.toBeUndefined();
    await store.close();
  });

  it('a directory with other files is refused as a data directory', async () => {
    mkdirSync(directory);
    writeFileSync(join(directory, 'thesis.txt'), '');
    await expect(openLmdbStore(directory)).rejects.toThrow(
      `The data directory '${directory}' is used for something else: it has 'thesis.txt', but no 'log.mdb'. Name an`,
    );
    expect(readdirSync(directory)).toEqual(['thesis.txt']);
  });

  it('a data directory can be the root of a disk', async () => {
    mkdirSync(join(directory, 'lost+found'), { recursive: true });
    const store = await openLmdbStore(directory);
    await expect(store.close()).resolves.toBeUndefined();
  });

  it.each([
    [0x6969, 'NFS'],
    [0x517b, 'SMB'],
    // Node on some systems hands over the number with a sign.
    [0xff534d42 - 2 ** 32, 'CIFS'],
    [0xfe534d42, 'SMB 2 or 3'],
    [0x65735546, 'FUSE'],
    [0x01021997, '9P'],
    [0x00c36400, 'CephFS'],
    [0x6b414653, 'AFS'],
    [0x0bd00bd0, 'Lustre'],
  ])('network storage (type %i, %s) is refused unless a setting allows it', async (type, name) => {
    const storageType = async (): Promise<number> => type;
    const refusal = await openLmdbStore(directory, { storageType }).catch(String);
    expect(refusal).toMatch(
      /^DataDirectoryError: The data directory '.*' is on network storage \(.*\): other machines can write to it at the same time, and messages can be lost\. Name a directory on a local disk, or accept the risk with --allow-network-storage/,
    );
    expect(refusal).toContain(`(${name}`);
    const store = await openLmdbStore(directory, { storageType, allowNetworkStorage: true });
    await store.close();
  });

  it('common kinds of local disks are not mistaken for network storage', () => {
    const local = {
      ext4: 0xef53,
      xfs: 0x58465342,
      btrfs: 0x9123683e,
      tmpfs: 0x01021994,
      overlay: 0x794c7630,
      zfs: 0x2fc12fc1,
    };
    for (const type of Object.values(local)) expect(networkStorageOf(type, 'linux')).toBeUndefined();
    // Other systems number their file systems otherwise.
    expect(networkStorageOf(0x6969, 'darwin')).toBeUndefined();
  });

  it('the data directory is refused when it cannot be created', async () => {
    writeFileSync(directory, 'a file');
    const refusal = await refusalOf(join(directory, 'below'));
    expect(refusal).toContain(`DataDirectoryError: The data directory '${directory}`);
    expect(refusal).toContain('Name a directory that');
  });

  it.runIf(process.platform === 'linux')(
    'a directory is refused if no file can be created in it',
    async () => {
      const refusal = await openLmdbStore('/proc/fanfare/data').catch(String);
      expect(refusal).toContain("DataDirectoryError: The data directory '/proc/fanfare/data' cannot be used");
    },
  );

  it.each([
    [undefined, 'a newer version'],
    ['9.9.9', 'version 9.9.9 or a newer one'],
  ])(
    'a data file of a newer format is refused and not changed: one of version %s',
    async (version, needed) => {
      await (await openLmdbStore(directory)).close();
      const file = new LmdbFile(directory);
      const put = (name: string, text?: string): Change => {
        const key = Buffer.from(name);
        return {
          table: 'singles',
          key,
          ...(text !== undefined && { value: encodeText(text, kinds.format, key) }),
        };
      };
      file.writeExclusively(() => [put('format', '999'), put('version', version)]);
      await file.close();
      const before = readFileSync(join(directory, 'log.mdb'));
      const refusal = await refusalOf(directory);
      expect(refusal).toMatch(
        /^DataDirectoryError: The data directory '.*' has format 999, and this version of Fanfare \([\d.]+\) reads formats up to 4\. /,
      );
      expect(refusal).toContain(` Use ${needed}, or another data directory.`);
      expect(before.equals(readFileSync(join(directory, 'log.mdb')))).toBe(true);
    },
  );

  it('a data directory whose data file is of another kind is refused', async () => {
    mkdirSync(directory);
    writeFileSync(join(directory, 'log.mdb'), 'Dear diary, '.repeat(2_000));
    expect(await refusalOf(directory)).toMatch(/^LogDamagedError: The data file '.*' cannot be opened/);
    expect(existsSync(join(directory, 'log.mdb'))).toBe(true);
  });

  it('the data directory is accepted after a first start that was cut off', async () => {
    mkdirSync(directory);
    writeFileSync(join(directory, 'log.mdb'), '');
    writeFileSync(join(directory, 'log.mdb-lock'), '');
    const store = await openLmdbStore(directory);
    expect(store.readState()).toBeUndefined();
    await store.close();
  });
});

async function refusalOf(path: string): Promise<string> {
  return openLmdbStore(path).then(() => 'none', String);
}

function sockets(): string[] {
  return readdirSync(directory).filter((name) => name.endsWith('.sock'));
}
