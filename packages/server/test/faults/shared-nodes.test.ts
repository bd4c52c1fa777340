import { describe, expect } from 'vitest';
import { FakeClock } from './fake-clock.ts';
import { seeded } from './random.ts';
import { SetClock } from './set-clock.ts';
import { expectAcknowledged, startShared } from './shared-setup.ts';
import { sideBySide } from './side-by-side.ts';

const random = seeded('nodes that fail');

const hour = 3_600;

describe('several nodes of which one fails', () => {
  sideBySide('failures of nodes run side by side', {
    'when a node is killed and starts again, the other one refuses nothing, and nothing is lost':
      async () => {
        const { first, second, load, judge } = await startShared(random);
        for (let round = 0; round < 2; round++) {
          await first.server.kill();
          expectAcknowledged([await load.probe(second.url), await load.probe(second.url)]);
          first.launchAgain();
          await first.serves();
          await load.subscribed();
          await load.world.acknowledges(20);
        }
        await judge();
      },
  });
});

const missing = FakeClock.missing ?? SetClock.missing;

describe.skipIf(missing !== undefined)(
  `several nodes with wrong clocks${missing === undefined ? '' : ` (skipped: ${missing})`}`,
  () => {
    sideBySide('wrong clocks run side by side', {
      'nodes whose clocks are an hour ahead and an hour behind give messages the time of Redis': async () => {
        const clocks = [new FakeClock(), new FakeClock()] as const;
        clocks[0].set(hour);
        clocks[1].set(-hour);
        const { load, probeBoth, judge } = await startShared(random, {
          nodes: clocks.map(({ env }) => ({ env })),
        });
        expectAcknowledged(await probeBoth());
        await load.world.acknowledges(20);
        await judge();
        for (const { outcome } of load.world.publishes) {
          if (outcome.kind === 'ok') expect(Math.abs(outcome.time - Date.now())).toBeLessThan(300_000);
        }
      },

      'when the clock of Redis is set back by an hour, nothing is refused, lost or dropped': async () => {
        const clock = new SetClock(hour);
        const { redis, load, probeBoth, judge } = await startShared(random, { redis: { env: clock.env } });
        const timeOf = async (): Promise<number> => Number(((await redis.command('TIME')) as string[])[0]);
        expect((await timeOf()) - Date.now() / 1_000).toBeGreaterThan(hour - 60);
        clock.set(0);
        expect((await timeOf()) - Date.now() / 1_000).toBeLessThan(60);
        expectAcknowledged(await probeBoth());
        await load.world.acknowledges(20);
        await judge();
      },
    });
  },
);
