import { describe, expect } from 'vitest';
import { sleep } from '../../../../test/waits.ts';
import { seeded } from './random.ts';
import { expectAcknowledged, expectRefused, note, startShared } from './shared-setup.ts';
import { sideBySide } from './side-by-side.ts';

const random = seeded('outages of Redis');

describe('several nodes whose Redis cannot be reached', () => {
  sideBySide('outages of Redis run side by side', {
    'while Redis answers late, nodes refuse nothing and lose nothing': async () => {
      const { first, second, load, probeBoth, judge } = await startShared(random);
      const delays = [first, second].map(({ proxy }) => proxy.delay(200));
      expectAcknowledged(await probeBoth());
      await load.world.acknowledges(20);
      delays.forEach((delay) => delay.lift());
      await judge();
    },

    'while Redis stands still for ten seconds, nodes refuse publishes after two seconds, and then continue without a loss':
      async () => {
        const { redis, first, load, probeBoth, judge } = await startShared(random);
        redis.pause();
        const probes = await probeBoth();
        // Time itself is the test: a connection is given up after two seconds, and tried again for longer.
        await sleep(6_000);
        const later = await probeBoth();
        redis.resume();
        note('Redis stood still', [...probes, ...later], await load.recovers(first.url, 'probe 1'));
        expectRefused([...probes, ...later]);
        await judge();
      },

    'while all nodes are cut off from Redis, they refuse publishes after two seconds, and then continue without a loss':
      async () => {
        const { first, second, load, probeBoth, judge } = await startShared(random);
        const cuts = [first, second].map(({ proxy }) => proxy.refuse());
        for (const { proxy } of [first, second]) proxy.cut();
        const probes = [...(await probeBoth()), ...(await probeBoth())];
        cuts.forEach((cut) => cut.lift());
        note('all nodes cut off', probes, await load.recovers(second.url, 'probe 1'));
        expectRefused(probes);
        await judge();
      },

    'while one node is cut off from Redis, only that node refuses publishes, and its subscribers get everything afterwards':
      async () => {
        const { first, second, load, judge } = await startShared(random);
        const cut = first.proxy.hold();
        const refused = load.probe(first.url);
        expectAcknowledged([await load.probe(second.url), await load.probe(second.url)]);
        const probes = [await refused, await load.probe(first.url)];
        expectAcknowledged([await load.probe(second.url)]);
        cut.lift();
        note('one node cut off', probes, await load.recovers(first.url, 'probe 1'));
        expectRefused(probes);
        await judge();
      },

    'when answers of Redis are lost, publishes are acknowledged, and make one message, even without an id':
      async () => {
        const { first, second, load, probeBoth, judge } = await startShared(random);
        let lost = 0;
        for (let round = 0; round < 5; round++) {
          for (const { proxy } of [first, second]) {
            proxy.loseReply(1, ([command, name = '']) => {
              const isAppend = command?.toUpperCase() === 'FCALL' && name.includes('append');
              if (isAppend) lost++;
              return isAppend;
            });
          }
          expectAcknowledged(await probeBoth());
          await load.world.acknowledges(5);
        }
        expect(lost).toBeGreaterThanOrEqual(10);
        const { judged } = await judge();
        expect(judged.unknown).toBe(0);
      },
  });
});
