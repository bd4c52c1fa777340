import { describe, expect } from 'vitest';
import type { RedisServer } from '../redis/redis-server.ts';
import { SentinelTrio } from '../redis/sentinel-trio.ts';
import { seeded } from './random.ts';
import { startNodes } from './shared-fanfare.ts';
import { SharedLoad } from './shared-load.ts';
import { note } from './shared-setup.ts';
import { sideBySide } from './side-by-side.ts';
import type { Stored } from './world.ts';

const random = seeded('failovers');

interface Setup {
  readonly trio: SentinelTrio;
  readonly primary: RedisServer;
  readonly replicas: readonly RedisServer[];
  readonly urls: readonly string[];
  readonly load: SharedLoad;
}

/** Two nodes that find their Redis through Sentinel, with load. */
async function started(stored: Stored = 'memory', flags: readonly string[] = []): Promise<Setup> {
  const trio = await SentinelTrio.start();
  const [primary, ...replicas] = trio.servers;
  if (!primary) throw new Error('there is no primary');
  const hosts = trio.sentinels.map(({ port }) => `127.0.0.1:${port}`).join(',');
  const node = { redisUrl: `redis+sentinel://${hosts}/${trio.name}`, flags };
  const urls = (await startNodes(primary, 2, [node, node])).map(({ url }) => url);
  const load = await SharedLoad.start({ redis: primary, urls, random, stored });
  return { trio, primary, replicas, urls, load };
}

describe('several nodes with Sentinel', () => {
  sideBySide('failovers run side by side', {
    'when Sentinel promotes a replica, the nodes continue there, and each loss is told': async () => {
      const { trio, primary, urls, load } = await started();
      await primary.kill();
      const probe = await load.probe(urls[0] ?? '');
      const promoted = await trio.promoted(primary);
      note('promoted', [probe], await load.recovers(urls[0] ?? '', probe.id));
      await load.world.acknowledges(20);
      const { judged } = await load.judge(true, promoted);
      expect(judged.acknowledged).toBeGreaterThan(60);
    },

    'when Sentinel promotes a replica that was behind, no offset is used twice, and each subscriber that had more is told':
      async () => {
        const { trio, primary, replicas, urls, load } = await started();
        replicas.forEach((replica) => replica.pause());
        // Otherwise what comes meanwhile waits for them in the kernel.
        await primary.command('CLIENT', 'KILL', 'TYPE', 'replica');
        await load.world.acknowledges(20);
        await primary.kill();
        replicas.forEach((replica) => replica.resume());
        const promoted = await trio.promoted(primary);
        note('an older copy was promoted', [], await load.recovers(urls[1] ?? ''));
        await load.world.acknowledges(20);
        const { judged } = await load.judge(true, promoted);
        expect(judged.lostAcknowledged).toBeGreaterThan(0);
      },

    'when nodes wait for a replica and Sentinel promotes one, no acknowledged message is lost': async () => {
      const { trio, primary, urls, load } = await started('replicated', ['--redis-wait', '1']);
      await load.world.acknowledges(30);
      await primary.kill();
      const promoted = await trio.promoted(primary);
      note('promoted, replicated', [], await load.recovers(urls[0] ?? ''));
      await load.world.acknowledges(20);
      const { judged } = await load.judge(true, promoted);
      expect(judged.lostAcknowledged).toBe(0);
    },
  });
});
