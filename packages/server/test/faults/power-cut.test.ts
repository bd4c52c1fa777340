import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { freePort } from '../../../../bench/src/free-port.ts';
import { Program } from '../../../cli/test/harness.ts';
import type { History } from './history.ts';
import { declareTopics } from './http.ts';
import { expectNoFaults, Load, topics } from './load.ts';
import { judge } from './oracle.ts';
import { UnreliableDisk, type Disk } from './power-cut.ts';
import { seeded, type Random } from './random.ts';
import { startServerProcess } from './server-process.ts';
import { World } from './world.ts';

const cuts = Number(process.env['FANFARE_POWER_CUTS'] ?? 2);
const { missing } = UnreliableDisk;
const lmdb = pathToFileURL(createRequire(import.meta.url).resolve('lmdb')).href;

describe.skipIf(missing !== undefined)(
  `a power cut${missing === undefined ? '' : ` (skipped: ${missing})`}`,
  () => {
    it(
      'a power cut loses no acknowledged message, whether the disk had written half of the unsynced data or none',
      async () => {
        const random = seeded('power cut');
        const { history, load } = await throughPowerCuts(random, cuts, (cut) =>
          cut % 2 === 0 ? {} : { early: random.below(1e9) },
        );
        expect(load.subscribers.flatMap(({ refusals }) => refusals)).toEqual([]);
        expectNoFaults(history, { acknowledged: cuts * 50, unknown: cuts, runs: cuts * 5 });
      },
      120_000 + cuts * 8_000,
    );

    it('the power-cut test detects lost messages if the disk ignores syncs', async () => {
      const { history } = await throughPowerCuts(seeded('lying disk'), 1, () => ({ isLying: true }));
      const { counts, judged } = judge(history);
      expect(judged.acknowledged).toBeGreaterThan(50);
      expect(counts.lost).toBeGreaterThan(50);
    });

    it.each(['fsyncSync', 'fdatasyncSync'])(
      'a power cut keeps the data that a program wrote before %s, and nothing else',
      async (sync) => {
        const disk = new UnreliableDisk();
        const file = join(disk.data, 'folder', 'file');
        await killed(
          disk,
          {},
          `
      fs.mkdirSync(path.dirname(${JSON.stringify(file)}));
      const fd = fs.openSync(${JSON.stringify(file)}, 'w');
      fs.writeSync(fd, 'kept, ');
      fs.writevSync(fd, [Buffer.from('this '), Buffer.from('too')]);
      fs.${sync}(fd);
      fs.writeSync(fd, 'lost', 100);
      fs.writeSync(fd, 'LOST', 0);
      acknowledge();`,
        );
        expect(readFileSync(file, 'utf8')).toBe('kept, this too');
      },
    );

    it('a power cut keeps data written with O_DSYNC, and loses data that was acknowledged before a sync', async () => {
      const disk = new UnreliableDisk();
      const [synced, unsynced] = [join(disk.data, 'synced'), join(disk.data, 'unsynced')];
      await killed(
        disk,
        {},
        `
      fs.writeSync(fs.openSync(${JSON.stringify(synced)}, fs.constants.O_WRONLY | fs.constants.O_CREAT | fs.constants.O_DSYNC), 'kept');
      fs.writeFileSync(${JSON.stringify(unsynced)}, 'lost');
      acknowledge();`,
      );
      expect(readFileSync(synced, 'utf8')).toBe('kept');
      expect(readFileSync(unsynced, 'utf8')).toBe('');
    });

    it.each([
      [{ overlappingSync: false }, true],
      [{ overlappingSync: false, noSync: true }, false],
    ])('after a power cut, LMDB with %j has the data that it acknowledged: %s', async (options, isKept) => {
      const disk = new UnreliableDisk();
      await killed(
        disk,
        {},
        `
      const { open } = await import(${JSON.stringify(lmdb)});
      const store = open({ path: ${JSON.stringify(disk.data)}, ...${JSON.stringify(options)} });
      for (let key = 0; key < 100; key++) await store.put(key, 'x'.repeat(3000));
      acknowledge();`,
      );
      const reader = program(`
      const { open } = await import(${JSON.stringify(lmdb)});
      const store = open({ path: ${JSON.stringify(disk.data)}, overlappingSync: false });
      console.log('keys: ' + store.getKeysCount());
      process.exit();`);
      await reader.says(isKept ? 'keys: 100\n' : 'keys: 0\n');
      expect(existsSync(disk.data)).toBe(true);
    });
  },
);

/** Puts a load on a server that loses power again and again. */
async function throughPowerCuts(
  random: Random,
  count: number,
  diskOf: (cut: number) => Disk,
): Promise<{ history: History; load: Load }> {
  const disk = new UnreliableDisk();
  const port = await freePort();
  const world = new World(topics);
  let load: Load | undefined;
  for (let cut = 0; cut < count; cut++) {
    const { server, url } = await startServerProcess({ data: disk.data, port, env: disk.env(diskOf(cut)) });
    await declareTopics(url, topics);
    world.setUp(url);
    load ??= new Load(world, url, random);
    await Promise.all(load.subscribers.map(async (each) => each.subscribed()));
    await world.acknowledges(100 + random.below(200));
    world.setDown();
    await server.kill();
    disk.cut();
  }
  const { url } = await startServerProcess({ data: disk.data, port });
  if (!load) throw new Error('there was no power cut');
  await declareTopics(url, topics);
  world.setUp(url);
  return { history: await load.finish(url), load };
}

function program(code: string, env: Readonly<Record<string, string>> = {}): Program {
  const imports = `import fs from 'node:fs'; import path from 'node:path';
    const acknowledge = () => { console.log('acknowledged'); setInterval(() => {}, 1000); };`;
  return new Program(process.execPath, ['--input-type=module', '-e', imports + code], env);
}

/** Runs a program until it acknowledges, kills it, and cuts the power. */
async function killed(disk: UnreliableDisk, kind: Disk, code: string): Promise<void> {
  const writer = program(code, disk.env(kind));
  await writer.says('acknowledged');
  writer.process.kill('SIGKILL');
  await writer.exitCode;
  disk.cut();
}
