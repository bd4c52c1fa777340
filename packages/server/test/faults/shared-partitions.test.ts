import { describe, expect, onTestFinished } from 'vitest';
import { sleep, until, within } from '../../../../test/waits.ts';
import { startBalancer } from '../nodes/three-nodes.ts';
import { NetworkNamespaces, whyNoNamespaces, type Namespace } from '../redis/network-namespaces.ts';
import { RedisServer } from '../redis/redis-server.ts';
import { SentinelTrio } from '../redis/sentinel-trio.ts';
import type { Verdict } from './history.ts';
import { declareTopics, readHistory } from './http.ts';
import { expectNoFaults, settle, topics } from './load.ts';
import { publishEvents, publishSingly } from './publishers.ts';
import { Random, seeded } from './random.ts';
import { startNodes, type SharedNode } from './shared-fanfare.ts';
import { SharedLoad } from './shared-load.ts';
import { expectAcknowledged, expectRefused, note, readinessOf } from './shared-setup.ts';
import { sideBySide } from './side-by-side.ts';
import { Subscriber } from './subscriber.ts';
import { World } from './world.ts';

const random = seeded('partitions');

const missing = whyNoNamespaces();

interface SplitSetup {
  /** The node that is cut off together with the old primary. */
  readonly minority: SharedNode;
  readonly majority: SharedNode;
  readonly load: SharedLoad;
  /** Ends the partition, and judges what was seen. */
  readonly heal: () => Promise<Verdict>;
}

/**
 * Three machines, each with a Redis, a Sentinel and a node. The machine with the primary is cut off from the
 * other two, which have another primary when this resolves. All clients reach all machines.
 */
async function split(config: readonly string[]): Promise<SplitSetup> {
  const network = new NetworkNamespaces(3);
  const [first, ...others] = network.namespaces as [Namespace, ...Namespace[]];
  const trio = await SentinelTrio.start({ networks: network.namespaces, config });
  const [primary] = trio.servers as [RedisServer];
  const hosts = trio.sentinels.map(({ host, port }) => `${host}:${port}`).join(',');
  const redisUrl = `redis+sentinel://${hosts}/${trio.name}`;
  const nodes = await startNodes(
    primary,
    3,
    network.namespaces.map((each) => ({ network: each, redisUrl })),
  );
  const [minority, majority] = nodes as [SharedNode, SharedNode];
  const load = await SharedLoad.start({ redis: primary, urls: nodes.map(({ url }) => url), random });
  const partition = network.partition([first], others);
  const promoted = await trio.promoted(primary, trio.sentinels.slice(1));
  note('a partition, at the new primary', [], await load.recovers(majority.url));
  const heal = async (): Promise<Verdict> => {
    partition.lift();
    await primary.untilInfo('replication', /^master_link_status:up/m);
    note('the partition is over', [], await load.recovers(minority.url));
    await load.world.acknowledges(20);
    return load.judge(true, promoted);
  };
  return { minority, majority, load, heal };
}

describe.skipIf(missing)(`nodes on networks that break${missing ? ` (skipped: ${missing})` : ''}`, () => {
  sideBySide('partitions run side by side', {
    'a node that is cut off from everything for ten seconds harms nobody, and its subscribers get everything afterwards':
      async () => {
        const network = new NetworkNamespaces(3);
        const [ofRedis, ofFirst, ofSecond] = network.namespaces as [Namespace, Namespace, Namespace];
        const redis = await RedisServer.start({ network: ofRedis });
        const nodes = await startNodes(
          redis,
          2,
          [ofFirst, ofSecond].map((each) => ({ network: each, redisUrl: redis.url })),
        );
        const [first, second] = nodes as [SharedNode, SharedNode];
        const load = await SharedLoad.start({ redis, urls: [first.url, second.url], random });
        const cut = network.unplug(ofFirst);
        load.world.setUp(second.url);
        const stuck = load.probe(first.url);
        const since = performance.now();
        while (performance.now() - since < 10_000) {
          expectAcknowledged([await load.probe(second.url)]);
          // Time itself is the test.
          await sleep(500);
        }
        expect((await readinessOf(second.url)).status).toBe(200);
        cut.lift();
        const probe = await stuck;
        note('a node cut off from everything', [probe], await load.recovers(first.url, probe.id));
        load.world.setUp(first.url, second.url);
        await load.world.acknowledges(20);
        await load.judge();
      },

    'a primary that is cut off with a node acknowledges what is lost later, and clients are told of each loss':
      async () => {
        const { minority, load, heal } = await split([]);
        expectAcknowledged([await load.probe(minority.url), await load.probe(minority.url)]);
        const { judged } = await heal();
        expect(judged.lostAcknowledged).toBeGreaterThan(1);
      },

    'with `min-replicas-to-write`, a primary that is cut off with a node soon refuses publishes, and clients end with one history':
      async () => {
        const { minority, majority, load, heal } = await split([
          'min-replicas-to-write 1',
          'min-replicas-max-lag 3',
        ]);
        const isRefusing = async (): Promise<boolean> =>
          (await load.probe(minority.url)).code === 'storage_unavailable';
        // Redis waits for the acknowledgements of its replicas as long as its setting says.
        await until('the old primary refuses publishes', isRefusing, { step: () => sleep(200) });
        const probes = [await load.probe(minority.url), await load.probe(minority.url)];
        expectRefused(probes);
        expect(probes.map(({ code }) => code)).toEqual(['storage_unavailable', 'storage_unavailable']);
        expect(await readinessOf(minority.url)).toMatchObject({
          status: 503,
          log: { reason: expect.stringContaining('fewer replicas') as string },
        });
        expectAcknowledged([await load.probe(majority.url)]);
        await heal();
      },

    'when a node is cut off from the other nodes only, polling clients that come to any node miss nothing':
      async () => {
        const network = new NetworkNamespaces(4);
        const [ofRedis, ...machines] = network.namespaces as [Namespace, ...Namespace[]];
        const redis = await RedisServer.start({ network: ofRedis });
        const flags = ['--trust-proxy', network.ownAddress];
        const nodes = await startNodes(
          redis,
          3,
          machines.map((each) => ({ network: each, redisUrl: redis.url, flags })),
        );
        const url = await startBalancer(nodes, 'max_fails=0');
        await declareTopics(url, topics);
        const world = new World(topics, 'memory', 50);
        world.setUp(url);
        world.grant(0);
        const timer = setInterval(() => world.grant(1), 20);
        onTestFinished(() => clearInterval(timer));
        const subscribers = Array.from({ length: 12 }, (_, at) => {
          const interest = at % 3 === 0 ? '**' : (topics[at % topics.length] ?? '');
          return new Subscriber(world, `polling ${at}`, url, [{ interest }], 'polling', 50);
        });
        onTestFinished(() => subscribers.forEach(({ client }) => void client.close()));
        const subscribed = async (): Promise<unknown> =>
          Promise.all(subscribers.map(async (each) => each.subscribed()));
        await subscribed();
        const publishers = Promise.all(
          [publishSingly, publishEvents('websocket'), publishEvents('polling')].map(async (publish, at) =>
            publish(world, `publisher ${at}`, new Random(random.below(1e9))),
          ),
        );
        await world.acknowledges(30);
        const cut = network.partition(machines.slice(0, 1), machines.slice(1));
        // Time itself is the test. Meanwhile, publishes over HTTP and websockets go on.
        await sleep(15_000);
        await world.acknowledges(30);
        const delivered = subscribers.map((each) => each.delivered);
        cut.lift();
        await until('every polling client gets messages again', () =>
          subscribers.every((each, at) => each.delivered > (delivered[at] ?? 0)),
        );
        await subscribed();
        world.end();
        await within(60_000, 'every retry succeeds', publishers);
        await settle(world, url, subscribers);
        expect(subscribers.flatMap(({ refusals }) => refusals)).toEqual([]);
        const losses = subscribers.flatMap(({ events }) =>
          events.filter(({ kind }) => kind === 'disconnected'),
        );
        const refused = nodes.filter(({ server }) =>
          server.program.stderr.includes('Cannot pass requests on'),
        );
        console.log(
          `cut from nodes: ${losses.length} connections were lost, ${refused.length} nodes refused polls`,
        );
        const history = world.history(await readHistory(url));
        expectNoFaults(history, { acknowledged: 60, runs: subscribers.length });
      },
  });
});
