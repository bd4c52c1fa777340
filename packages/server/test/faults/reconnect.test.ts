import { describe, expect, it, onTestFinished } from 'vitest';
import { until } from '../../../../test/waits.ts';
import { temporaryDirectory } from '../../../cli/test/harness.ts';
import { BreakableNetwork } from './breakable-network.ts';
import { declareTopics, readHistory } from './http.ts';
import { expectNoFaults, settle, topics } from './load.ts';
import { publishBatches, publishEvents, publishSingly } from './publishers.ts';
import { Random, seeded } from './random.ts';
import { startServerProcess } from './server-process.ts';
import { Subscriber, type Wanted } from './subscriber.ts';
import { World } from './world.ts';

const reconnects = Number(process.env['FANFARE_RECONNECTS'] ?? 400);
const clients = 20;

const wanted: readonly (readonly Wanted[])[] = [
  [{ interest: 'orders' }],
  [{ interest: 'orders/**' }],
  [{ interest: '**', from: 'earliest' }],
  [{ interest: 'news' }, { interest: 'breaking news' }],
  [{ interest: 'orders/*' }, { interest: 'orders/eu' }, { interest: 'orders/**' }],
];

describe('a subscriber that loses its connection again and again', () => {
  it(
    'a subscriber that loses its connection again and again gets every message exactly once, over either transport',
    async () => {
      const random = seeded('reconnects');
      const { url } = await startServerProcess({ data: temporaryDirectory(), port: 0 });
      await declareTopics(url, topics);
      const world = new World(topics);
      world.setUp(url);
      world.grant(0);
      const publishing = Promise.all(
        [publishSingly, publishBatches, publishEvents('websocket')].map(async (publish, at) =>
          publish(world, `publisher ${at}`, new Random(random.below(1e9))),
        ),
      );
      const networks = await Promise.all(
        Array.from({ length: clients }, async () => BreakableNetwork.to(url)),
      );
      const subscribers = networks.map(
        (network, at) =>
          new Subscriber(
            world,
            `subscriber ${at}`,
            network.url,
            wanted[at % wanted.length] ?? [],
            at % 4 === 3 ? 'upgrade' : at % 2 === 0 ? 'websocket' : 'polling',
          ),
      );
      onTestFinished(() => subscribers.forEach(({ client }) => void client.close()));
      await Promise.all(
        subscribers.map(async (each, at) =>
          reconnectAgain(each, networks[at], world, new Random(random.below(1e9))),
        ),
      );
      await Promise.all(subscribers.map(async (each) => each.subscribed()));
      world.end();
      await publishing;
      await settle(world, url, subscribers);
      expect(subscribers.flatMap(({ refusals }) => refusals)).toEqual([]);
      const history = world.history(await readHistory(url));
      expectNoFaults(history, { runs: reconnects, replayed: reconnects, acknowledged: reconnects / 2 });
    },
    120_000 + reconnects * 60,
  );
});

/**
 * Cuts the connection at any moment: before the subscribes are acknowledged, between, and after some
 * deliveries.
 */
async function reconnectAgain(
  subscriber: Subscriber,
  network: BreakableNetwork | undefined,
  world: World,
  random: Random,
): Promise<void> {
  for (let done = 0; done < reconnects / clients; done++) {
    world.grant(1);
    await until('the subscriber is connected again', () => subscriber.client.connected, {
      step: () => subscriber.changed(),
      soFar: () => subscriber.status,
    });
    if (!random.isOneIn(5)) {
      await Promise.race([subscriber.subscribed(), subscriber.disconnected()]);
      const enough = subscriber.delivered + random.below(8);
      const isEnough = (): boolean => subscriber.delivered >= enough || !subscriber.client.connected;
      await until('the subscriber gets some messages, or loses its connection', isEnough, {
        step: async () => {
          if (world.isIdle) world.grant(1);
          await Promise.race([subscriber.changed(), world.changed()]);
        },
        soFar: () => subscriber.status,
      });
    }
    network?.cut();
    await subscriber.disconnected();
    network?.mend();
  }
}
