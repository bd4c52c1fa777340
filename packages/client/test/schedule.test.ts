import { matches, type Interest, type Topic } from '@fanfare/protocol';
import { expect, it } from 'vitest';
import { collect, sleep } from '../../../test/waits.ts';
import { seeded, type Random } from '../../server/test/faults/random.ts';
import { BreakableNetwork, client, eventually, publish, startServer } from './harness.ts';

const topics = ['a', 'b/1', 'b/2', 'c/1/x'];
const interests = ['a', 'b/*', 'b/1', '**', 'c/**', 'b/*', '**', 'a'];
const rounds = Number(process.env['FANFARE_SDK_ROUNDS'] ?? 12);

/** What one application has got. */
interface Application {
  readonly interest: string;
  readonly got: number[];
  readonly gaps: unknown[];
}

it('the SDK hands every subscription all of its messages, once and in the order of the log, whatever the network does', async () => {
  const random = seeded('the SDK');
  const keep = { count: 1_000_000, age: '7d', bytes: '1GiB' };
  const { url } = await startServer({ memory: true, rules: [{ match: '**', keep, create: 'publish' }] });
  const network = await BreakableNetwork.to(url);
  const reader = client(network.url);
  const applications = interests.map((interest): Application => {
    const application: Application = { interest, got: [], gaps: [] };
    const options = { from: 'earliest', onGap: (gap: unknown) => application.gaps.push(gap) };
    // Every third takes its time now and then, so that what waits for it is more than it may be.
    const isSlow = random.isOneIn(3);
    reader.subscribe(interest, options, async ({ message }) => {
      application.got.push(message as number);
      // Time itself is the test: the application is slow.
      if (isSlow && random.isOneIn(2_000)) await sleep(random.below(60));
    });
    return application;
  });
  const publisher = client(network.url);
  const published: { readonly number: number; readonly topic: string }[] = [];
  const waiting: Promise<unknown>[] = [];
  const over = new AbortController();
  // All the time, so that some are live while others catch up.
  const trickle = (async () => {
    while (!over.signal.aborted) await publishMany(random, url, published, 1);
  })();
  for (let round = 0; round < rounds; round++) {
    await runRound(random, network);
    // More at once than waits for an application, now and then.
    await publishMany(random, url, published, random.isOneIn(3) ? 4_500 : random.below(50));
    // By the SDK too, which is cut off with the others: these come when they come, but once.
    for (let more = random.below(20); more > 0; more--) {
      const number = published.push({ number: published.length, topic: random.pick(topics) }) - 1;
      const topic = published[number]?.topic ?? '';
      waiting.push(publisher.publish(topic, number));
    }
  }
  over.abort();
  await trickle;
  network.mend();
  await Promise.all(waiting);
  const order = await logOf(url);
  expect(order.toSorted((a, b) => a - b)).toEqual(published.map(({ number }) => number));
  for (const { interest, got, gaps } of applications) {
    const due = order.filter((number) => matches(interest as Interest, published[number]?.topic as Topic));
    await eventually(() => got.length).toBeGreaterThanOrEqual(due.length);
    expect(got).toEqual(due);
    expect(gaps).toEqual([]);
  }
});

/** The network breaks or not, at any moment of what comes next. */
async function runRound(random: Random, network: BreakableNetwork): Promise<void> {
  if (random.isOneIn(2)) network.mend();
  if (random.isOneIn(3)) {
    network.cut();
    if (random.isOneIn(2)) network.mend();
  }
  // Time itself is the test: the next breakage comes at any moment.
  await sleep(random.below(250));
}

/** At once, and straight to the server. */
async function publishMany(
  random: Random,
  url: string,
  published: { readonly number: number; readonly topic: string }[],
  count: number,
): Promise<void> {
  const batch = Array.from({ length: count }, () => {
    const topic = random.pick(topics);
    return { topic, message: published.push({ number: published.length, topic }) - 1 };
  });
  if (count > 0) expect((await publish(url, batch)).status).toBe(200);
}

async function logOf(url: string): Promise<number[]> {
  const envelopes = await collect('the history of all topics ends', client(url).history('**'));
  return envelopes.map(({ message }) => message as number);
}
