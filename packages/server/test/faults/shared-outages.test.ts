import { describe, expect } from 'vitest';
import { sleep, until } from '../../../../test/waits.ts';
import { RedisServer } from '../redis/redis-server.ts';
import { seeded } from './random.ts';
import { startNodes, type SharedNode } from './shared-fanfare.ts';
import { SharedLoad, type Probe } from './shared-load.ts';
import { sideBySide } from './side-by-side.ts';

const random = seeded('outages of Redis');

async function started(
  options: Parameters<typeof RedisServer.start>[0] = {},
): Promise<{ redis: RedisServer; nodes: readonly SharedNode[]; load: SharedLoad }> {
  const redis = await RedisServer.start(options);
  const nodes = await startNodes(redis, 2);
  const load = await SharedLoad.start({ redis, urls: nodes.map(({ url }) => url), random });
  return { redis, nodes, load };
}

/** A refusal comes about two seconds after the publish. */
const refusalMs = 2_500;

function expectRefused(probes: readonly Probe[]): void {
  for (const { outcome, code, ms } of probes) {
    expect(outcome === 'unknown' || code === 'storage_unavailable', JSON.stringify(probes)).toBe(true);
    expect(ms).toBeLessThan(refusalMs);
  }
}

describe('outages of Redis', () => {
  sideBySide('outages of Redis run side by side', {
    'while Redis answers after 200 ms, nothing is refused or lost': async () => {
      const { nodes, load } = await started();
      const slow = nodes.map(({ proxy }) => proxy.delay(200));
      const probes = await Promise.all(nodes.map(({ url }) => load.probe(url)));
      expect(probes.map(({ outcome }) => outcome)).toEqual(['ok', 'ok']);
      await load.world.acknowledges(20);
      slow.forEach((each) => each.lift());
      await load.judge();
    },
    'while Redis is stopped for 10 s, publishes are refused within about 2 s, and afterwards all goes on':
      async () => {
        const { redis, nodes, load } = await started();
        redis.pause();
        const probes = await Promise.all(nodes.map(({ url }) => load.probe(url)));
        // Time itself is the test.
        await sleep(8_000);
        const later = await Promise.all(nodes.map(({ url }) => load.probe(url)));
        redis.resume();
        const ms = await load.recovers(nodes[0]?.url ?? '', probes[0]?.id);
        console.log(`stopped: ${JSON.stringify({ probes, later, ms })}`);
        expectRefused([...probes, ...later]);
        await load.judge();
      },
  });
});
