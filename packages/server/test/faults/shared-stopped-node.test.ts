import { expect, it } from 'vitest';
import { sleep, until } from '../../../../test/waits.ts';
import { startBalancer } from '../nodes/three-nodes.ts';
import { RedisServer } from '../redis/redis-server.ts';
import { seeded } from './random.ts';
import { startNodes, type SharedNode } from './shared-fanfare.ts';
import { SharedLoad } from './shared-load.ts';
import { expectAcknowledged, note } from './shared-setup.ts';

const isLong = process.env['FANFARE_LONG'] === '1';

const stoppedSeconds = isLong ? 60 : 15;

/** Publishes that are on their way when the node is stopped. */
const inFlight = 200;

/** Nodes show each second that they live. */
const aWhile = { step: () => sleep(100) };

/** The nodes that have shown in the last ten seconds that they live. */
async function livingNodes({ url }: SharedNode): Promise<number> {
  const { nodes = [] } = (await (await fetch(`${url}/stats`)).json()) as {
    readonly nodes?: readonly unknown[];
  };
  return nodes.length;
}

it(`a node that is stopped for ${stoppedSeconds} seconds harms nobody, its clients resume elsewhere, and it catches up when it continues`, async () => {
  const random = seeded('stopped node');
  const redis = await RedisServer.start();
  const node = { flags: ['--trust-proxy', '127.0.0.1'] };
  const [first, second] = (await startNodes(redis, 2, [node, node])) as [SharedNode, SharedNode];
  const balancer = await startBalancer([first, second], 'max_fails=0');
  const urls = [first.url, second.url];
  const load = await SharedLoad.start({ redis, urls, random, balancer });
  await until('each node knows the other one', async () => (await livingNodes(second)) === 2, aWhile);

  const stuck = Array.from({ length: inFlight }, async () => load.probe(first.url));
  first.signal('SIGSTOP');
  const since = performance.now();
  load.world.setUp(second.url);
  const delivered = load.balanced.map((each) => each.delivered);
  while (performance.now() - since < stoppedSeconds * 1_000) {
    expectAcknowledged([await load.probe(second.url)]);
    // Time itself is the test.
    await sleep(500);
  }
  expect(await livingNodes(second)).toBe(1);
  if (isLong) {
    // A client notices within 45 s that its server is silent (PROTOCOL 3.13).
    load.balanced.forEach((each, at) =>
      expect(each.delivered, each.name).toBeGreaterThan(delivered[at] ?? 0),
    );
  }
  first.signal('SIGCONT');

  const probes = await Promise.all(stuck);
  note(`a node was stopped, with ${inFlight} publishes`, probes.slice(-1), await load.recovers(first.url));
  // The oracle compares what each was told with the log.
  const told = probes.map(({ code, outcome }) => code ?? outcome);
  const counts = [...new Set(told)].map((each) => `${each} ${told.filter((one) => one === each).length}`);
  console.log(`the publishes on their way: ${counts.join(', ')}`);
  await until('the node lives again', async () => (await livingNodes(second)) === 2, aWhile);
  load.world.setUp(...urls);
  await load.world.acknowledges(20);
  await load.judge();
}, 240_000);
