import { describe, expect, it, onTestFinished } from 'vitest';
import { isFlawless, judge, type Verdict } from '../../../../bench/src/continuity/judge.ts';
import { sleep, until, within } from '../../../../test/waits.ts';
import { Crowd, type Member } from './crowd.ts';
import { readHistory } from './http.ts';
import { expectNoFaults, settle, topics } from './load.ts';
import { NumberedPublisher } from './numbered-publisher.ts';
import { publishEvents, publishSingly } from './publishers.ts';
import { Random, seeded } from './random.ts';
import { terminate } from './server-process.ts';
import type { SharedNode } from './shared-fanfare.ts';
import { startBalanced } from './shared-setup.ts';
import { Subscriber } from './subscriber.ts';

/** Stock clients. */
const subscriberCount = 100;

/** Small clients in a process of their own, and how many messages a second they get from all publishers. */
const crowdCount = Number(process.env['FANFARE_ROLLING_SUBSCRIBERS'] ?? 300);
const messagesPerSecond = crowdCount / 3;

/** Each publisher publishes so many messages in a second, to topics of its own. */
const publisherRate = 10;
const topicsPerPublisher = 3;

/** The time between two publishes of all publishers together. */
const publishEveryMs = 20;

const retryMs = 50;

/** Longer than all retries of a publish while one of three nodes is away. */
const retriesMs = 30_000;

/** The connections of all nodes that serve. */
async function connectedTo(nodes: readonly SharedNode[]): Promise<number> {
  const [first] = nodes;
  const { connections } = (await (await fetch(`${first?.url}/stats`)).json()) as { connections: number };
  return connections;
}

/** Nothing tells when a client is there again. To ask all the time would take the processor from them. */
const pause = { step: () => sleep(500) };

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

  it('three nodes behind nginx that are restarted one after the other under a steady load lose no message, and no retry fails', async () => {
    const { nodes, url } = await startBalanced(retryMs);
    const names = Array.from({ length: Math.ceil(messagesPerSecond / publisherRate) }, (_, publisher) =>
      Array.from({ length: topicsPerPublisher }, (__, at) => `crowd/${publisher}/${at}`),
    );
    const crowd = await Crowd.start(Number(new URL(url).port), names.flat(), crowdCount);
    const publishers = names.map(
      (some, at) => new NumberedPublisher(url, `publisher ${at}`, some, publisherRate),
    );
    const begunAt = performance.now();
    const recoveries: number[] = [];
    const areBack = async (): Promise<boolean> => (await connectedTo(nodes)) >= crowdCount;
    for (const node of nodes) {
      // Time itself is the test: a steady load between two restarts.
      await sleep(3_000);
      const since = performance.now();
      await terminate(node.server);
      node.launchAgain();
      await node.serves();
      await until('all subscribers are there again', areBack, { ...pause, ms: 120_000 });
      recoveries.push(Math.round(performance.now() - since));
    }
    // Time itself is the test.
    await sleep(3_000);
    const seconds = (performance.now() - begunAt) / 1_000;
    await within(120_000, 'every retry succeeds', Promise.all(publishers.map((each) => each.end())));
    const counts = new Map(publishers.flatMap(({ acknowledged }) => [...acknowledged]));
    const published = [...counts.values()].reduce((sum, count) => sum + count, 0);
    const retries = publishers.reduce((sum, each) => sum + each.retries, 0);
    const topicOf = (at: number): string => names.flat()[at % names.flat().length] ?? '';
    const hasAll = ({ received }: Member, at: number): boolean =>
      received.length >= (counts.get(topicOf(at)) ?? 0);
    let members = await crowd.members();
    await until('the subscribers get what came last', () => members.every(hasAll), {
      step: async () => {
        await pause.step();
        members = await crowd.members();
      },
      ms: 60_000,
      // What did not come is judged below.
    }).catch(() => {});
    const judged = members.map(({ received }, at) => judge([received], counts.get(topicOf(at)) ?? 0));
    const sum = (of: keyof Verdict): number => judged.reduce((all, each) => all + each[of], 0);
    console.log(
      `${crowdCount} subscribers, ${Math.round(published / seconds)} publishes/s: ` +
        `${published} acknowledged, ${sum('due') - sum('delivered')} of ${sum('due')} deliveries missing; ` +
        `${retries} retries, ${publishers.flatMap(({ failures }) => failures).length} of them failed for good; ` +
        `all subscribers were there again after ${recoveries.join(', ')} ms`,
    );
    expect(publishers.flatMap(({ failures }) => failures)).toEqual([]);
    expect(members.filter(({ isUnsure }) => isUnsure)).toEqual([]);
    expect(judged.filter((each) => !isFlawless(each))).toEqual([]);
    expect(published).toBeGreaterThan(crowdCount);
  }, 600_000);
});
