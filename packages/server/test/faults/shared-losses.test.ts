import { describe, expect } from 'vitest';
import { seeded } from './random.ts';
import { note, startShared } from './shared-setup.ts';
import { sideBySide } from './side-by-side.ts';

const random = seeded('restarts of Redis');

const onDisk = ['appendonly yes', 'appendfsync always'];

describe('several nodes whose Redis starts again', () => {
  sideBySide('restarts of Redis run side by side', {
    'when Redis is killed and starts again with its data, nothing is lost, and no subscriber is told of a gap':
      async () => {
        const { redis, first, load, judge } = await startShared(random, {
          redis: { config: onDisk },
          stored: 'disk',
        });
        for (let round = 0; round < 2; round++) {
          await redis.kill();
          const probe = await load.probe(first.url);
          await redis.restart();
          note('Redis killed, data kept', [probe], await load.recovers(first.url, probe.id));
          await load.world.acknowledges(20);
        }
        const { judged } = await judge();
        expect(judged.lostAcknowledged).toBe(0);
      },

    'when Redis starts again without its last messages, no offset is used twice, and each subscriber that had them is told':
      async () => {
        const { redis, second, load, judge } = await startShared(random);
        const before = await redis.snapshot();
        await load.world.acknowledges(30);
        await redis.kill();
        await redis.restart(before);
        note('last messages lost', [], await load.recovers(second.url));
        await load.world.acknowledges(20);
        const { judged } = await judge({ mayLose: true });
        expect(judged.lostAcknowledged).toBeGreaterThan(0);
      },

    'when Redis goes on with the older copy twice, each loss is told, and no offset is used twice':
      async () => {
        const { redis, first, load, judge } = await startShared(random);
        for (let round = 0; round < 2; round++) {
          const before = await redis.snapshot();
          await load.world.acknowledges(15);
          await redis.kill();
          await redis.restart(before);
          await load.recovers(first.url);
          await load.world.acknowledges(15);
        }
        const { judged } = await judge({ mayLose: true });
        expect(judged.lostAcknowledged).toBeGreaterThan(0);
      },

    'when Redis goes on with an older copy, and a node that was behind writes first, the other node and its subscribers notice':
      async () => {
        const { redis, first, second, load, judge } = await startShared(random);
        const before = await redis.snapshot();
        const isBehind = first.proxy.hold();
        load.world.setUp(second.url);
        await load.world.acknowledges(30);
        await redis.kill();
        const isLater = second.proxy.refuse();
        await redis.restart(before);
        isBehind.lift();
        load.world.setUp(first.url);
        note('the node that was behind', [], await load.recovers(first.url));
        isLater.lift();
        note('the other node', [], await load.recovers(second.url));
        load.world.setUp(first.url, second.url);
        await load.world.acknowledges(20);
        const { judged } = await judge({ mayLose: true });
        expect(judged.lostAcknowledged).toBeGreaterThan(0);
      },

    'when Redis is emptied, each subscriber is told, keeps its subscription, and gets all that is published afterwards':
      async () => {
        const { redis, first, load, judge } = await startShared(random);
        await redis.flushAll();
        note('emptied', [], await load.recovers(first.url));
        await load.world.acknowledges(20);
        await judge({ mayLose: true });
      },
  });
});
