import { expect, onTestFinished } from 'vitest';
import { within } from '../../../../test/waits.ts';
import { faultKinds, type History, type Verdict } from './history.ts';
import { publishHttp, readHistory } from './http.ts';
import { judge } from './oracle.ts';
import { publishBatches, publishEvents, publishSingly } from './publishers.ts';
import { Random } from './random.ts';
import { Subscriber } from './subscriber.ts';
import type { World } from './world.ts';

export const topics = ['orders', 'orders/eu', 'orders/eu/paid', 'news', 'breaking news'];

/** The time at the end in which subscribers must get all remaining messages. */
const settlingMs = 15_000;

/** A server that was killed takes a while to start again. */
const reconnectionMs = 50;

/** Publishers and subscribers of every kind that work until the test ends. */
export class Load {
  readonly subscribers: readonly Subscriber[];
  readonly #world: World;
  readonly #publishers: Promise<unknown>;

  constructor(world: World, url: string, random: Random) {
    this.#world = world;
    const kinds = {
      single: publishSingly,
      'another single': publishSingly,
      batches: publishBatches,
      websocket: publishEvents('websocket'),
      polling: publishEvents('polling'),
    };
    this.#publishers = Promise.all(
      Object.entries(kinds).map(async ([name, publish]) =>
        publish(world, name, new Random(random.below(1e9))),
      ),
    );
    this.#publishers.catch(() => world.end());
    const subscriber = (name: string, ...rest: SubscriberArguments): Subscriber =>
      new Subscriber(world, name, url, ...rest, reconnectionMs);
    this.subscribers = [
      subscriber('of a topic', [{ interest: 'orders' }], 'websocket'),
      subscriber('of a pattern', [{ interest: 'orders/**' }], 'websocket'),
      subscriber('of everything', [{ interest: '**', from: 'earliest' }], 'polling'),
      subscriber(
        'of overlapping ones',
        [{ interest: 'orders/*' }, { interest: 'orders/eu' }, { interest: 'news' }],
        'upgrade',
      ),
      subscriber('of a plain topic', [{ interest: 'breaking news', form: 'plain' }], 'websocket'),
      subscriber('of both forms', [{ interest: 'news', form: 'plain' }, { interest: 'news' }], 'polling'),
    ];
    onTestFinished(() => {
      world.end();
      for (const each of this.subscribers) each.client.close();
    });
  }

  /** Finishes all publishes and deliveries once all clients are subscribed, and reads the log. */
  async finish(url: string): Promise<History> {
    // A plain subscription starts live: one that is made after the last message would never get it.
    await Promise.all(this.subscribers.map(async (each) => each.subscribed()));
    this.#world.end();
    await this.#publishers;
    await settle(this.#world, url, this.subscribers);
    return this.#world.history(await readHistory(url));
  }
}

type SubscriberArguments = [
  ConstructorParameters<typeof Subscriber>[3],
  ConstructorParameters<typeof Subscriber>[4],
];

/** Publishes a last message to each topic, and waits until the subscribers have or could have got them. */
export async function settle(
  world: World,
  url: string,
  subscribers: readonly Pick<Subscriber, 'name' | 'status' | 'gets'>[],
  to: readonly string[] = world.topics,
): Promise<void> {
  const last: { readonly topic: string; readonly content: string }[] = [];
  for (const topic of to) {
    const message = { last: `of ${topic}`, number: world.acknowledged };
    const content = JSON.stringify(message);
    const answered = world.send({ publisher: 'the last', topic, content });
    const [outcome = { kind: 'unknown' }] = await publishHttp(url, { topic, message }, world.stored);
    answered(outcome);
    if (outcome.kind === 'ok') last.push({ topic, content });
  }
  const late = new Set(subscribers);
  const all = Promise.all(subscribers.map(async (each) => each.gets(last).then(() => late.delete(each))));
  // The oracle judges messages that did not come.
  await within(settlingMs, 'the subscribers get what came last', all).catch(() => {});
  for (const each of late) console.log(`${each.name} did not get what came last: ${each.status}`);
}

/** Fails with the faults that were found, and if there was too little to judge. */
export function expectNoFaults(history: History, least: Partial<Verdict['judged']> = {}): Verdict {
  const verdict = judge(history);
  console.log(JSON.stringify({ ...verdict.judged, ...verdict.counts }));
  const details = verdict.faults
    .slice(0, 12)
    .map(({ kind, detail }) => `${kind}: ${detail.replaceAll(/x{20,}/g, 'x…')}`);
  expect(details, 'what was found').toEqual([]);
  expect(verdict.counts).toEqual(Object.fromEntries(faultKinds.map((kind) => [kind, 0])));
  for (const [what, count] of Object.entries(least) as [keyof Verdict['judged'], number][]) {
    expect(verdict.judged[what], what).toBeGreaterThanOrEqual(count);
  }
  return verdict;
}
