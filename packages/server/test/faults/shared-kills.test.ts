import { describe, expect, it } from 'vitest';
import { sleep } from '../../../../test/waits.ts';
import { expectNoFaults, Load } from './load.ts';
import { seeded } from './random.ts';
import { terminate } from './server-process.ts';
import { startBalanced } from './shared-setup.ts';

const kills = Number(process.env['FANFARE_NODE_KILLS'] ?? 4);

const retryMs = 20;

describe('three nodes that are killed and restarted at random', () => {
  it(
    'clients that come through nginx to three nodes, which are killed at random, lose no acknowledged message and miss none',
    async () => {
      const random = seeded('killed nodes');
      const { nodes, url, world } = await startBalanced(retryMs);
      const load = new Load(world, url, random);
      for (let kill = 0; kill < kills; kill++) {
        if (random.isOneIn(2)) await Promise.all(load.subscribers.map(async (each) => each.subscribed()));
        await world.acknowledges(random.below(150));
        // Time itself is the test: a node is killed at any moment.
        await sleep(random.below(4));
        const node = random.pick(nodes);
        await (random.isOneIn(4) ? terminate(node.server) : node.server.kill());
        await world.acknowledges(random.below(60));
        node.launchAgain();
        // Sometimes, two of three nodes are away.
        if (!random.isOneIn(4)) await node.serves();
      }
      await Promise.all(nodes.map(async (node) => node.serves()));
      const history = await load.finish(url);
      expect(load.subscribers.flatMap(({ refusals }) => refusals)).toEqual([]);
      expectNoFaults(history, { acknowledged: kills * 10, runs: kills * 2 });
    },
    120_000 + kills * 10_000,
  );
});
