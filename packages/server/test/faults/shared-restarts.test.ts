import { describe, expect, it, onTestFinished } from 'vitest';
import { within } from '../../../../test/waits.ts';
import { readHistory } from './http.ts';
import { expectNoFaults, settle, topics } from './load.ts';
import { publishEvents, publishSingly } from './publishers.ts';
import { Random, seeded } from './random.ts';
import { terminate } from './server-process.ts';
import { startBalanced } from './shared-setup.ts';
import { Subscriber } from './subscriber.ts';

const subscriberCount = Number(process.env['FANFARE_ROLLING_SUBSCRIBERS'] ?? 100);

/** The time between two publishes of all publishers together. */
const publishEveryMs = 20;

const retryMs = 50;

/** Longer than all retries of a publish while one of three nodes is away. */
const retriesMs = 30_000;

describe('a rolling restart', () => {
  it(
    'when three nodes behind nginx are restarted one after the other, every publish succeeds, and no subscriber misses a message',
    async () => {
      const random = seeded('rolling restart');
      const { nodes, url, world } = await startBalanced(retryMs);
      world.grant(0);
      const timer = setInterval(() => world.grant(1), publishEveryMs);
      onTestFinished(() => clearInterval(timer));
      const subscribers = Array.from({ length: subscriberCount }, (_, at) => {
        const interest = at % 20 === 0 ? 'orders/**' : (topics[at % topics.length] ?? '');
        // A stock client whose websocket is lost while it upgrades waits for its ping timeout of 45 s.
        const transport = at % 5 === 4 ? 'polling' : 'websocket';
        return new Subscriber(world, `subscriber ${at}`, url, [{ interest }], transport, 200);
      });
      onTestFinished(() => subscribers.forEach(({ client }) => void client.close()));
      const subscribed = async (): Promise<unknown> =>
        Promise.all(subscribers.map(async (each) => each.subscribed()));
      await subscribed();
      const publishers = Promise.all(
        [publishSingly, publishSingly, publishEvents('websocket'), publishEvents('polling')].map(
          async (publish, at) => publish(world, `publisher ${at}`, new Random(random.below(1e9))),
        ),
      );
      const recoveries: number[] = [];
      for (const node of nodes) {
        await world.acknowledges(50);
        const since = performance.now();
        await terminate(node.server);
        node.launchAgain();
        await node.serves();
        await subscribed();
        recoveries.push(Math.round(performance.now() - since));
      }
      await world.acknowledges(50);
      world.end();
      await within(retriesMs, 'every retry succeeds', publishers);
      await settle(world, url, subscribers);
      expect(subscribers.flatMap(({ refusals }) => refusals)).toEqual([]);
      console.log(`all subscribers were there again after ${recoveries.join(', ')} ms`);
      const history = world.history(await readHistory(url));
      expectNoFaults(history, { acknowledged: 200, runs: subscriberCount });
    },
    120_000 + subscriberCount * 100,
  );
});
