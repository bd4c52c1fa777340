import { expect, onTestFinished } from 'vitest';
import { until, within } from '../../../../test/waits.ts';
import { faultKinds, type History, type Verdict } from './history.ts';
import { publishHttp, readHistory } from './http.ts';
import { judge } from './oracle.ts';
import { publishBatches, publishEvents, publishSingly } from './publishers.ts';
import { Random } from './random.ts';
import { Subscriber } from './subscriber.ts';
import type { World } from './world.ts';

export const topics = ['orders', 'orders/eu', 'orders/eu/paid', 'news', 'breaking news'];

/** A subscriber that gets nothing for this time has got all that it ever gets. */
const silenceMs = 15_000;

/** Longer than the patience of any subscriber. */
const allSilentMs = 300_000;

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

  /**
   * Finishes all publishes and deliveries once all clients are subscribed, and reads the log.
   *
   * @param others - further subscribers of the world, which are waited for too
   */
  async finish(url: string, others: readonly Follower[] = []): Promise<History> {
    // A plain subscription starts live: one that is made after the last message would never get it.
    await Promise.all(this.subscribers.map(async (each) => each.subscribed()));
    this.#world.end();
    await this.#publishers;
    await settle(this.#world, url, [...this.subscribers, ...others]);
    return this.#world.history(await readHistory(url));
  }
}

/** What tells whether a subscriber still gets messages. */
export type Follower = Pick<Subscriber, 'name' | 'status' | 'gets' | 'events'>;

type SubscriberArguments = [
  ConstructorParameters<typeof Subscriber>[3],
  ConstructorParameters<typeof Subscriber>[4],
];

/** Publishes a last message to each topic, and waits until every subscriber has got them or gets nothing. */
export async function settle(
  world: World,
  url: string,
  subscribers: readonly Follower[],
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
  await Promise.all(
    subscribers.map(async (each) => {
      if (await getsOrFallsSilent(each, last)) return;
      // The oracle judges messages that did not come.
      console.log(`${each.name} did not get what came last: ${withoutPadding(each.status)}`);
    }),
  );
}

/**
 * Waits until a subscriber has got messages, or gets nothing more. The time that a slow one needs depends on
 * the machine: while messages still come, those that have not come are not missing.
 *
 * @returns whether it has got them
 */
export async function getsOrFallsSilent(
  subscriber: Follower,
  messages: Parameters<Follower['gets']>[0],
  ms = silenceMs,
): Promise<boolean> {
  let ended: 'got' | 'given up' | undefined;
  const got = subscriber.gets(messages).then(
    () => (ended = 'got'),
    (error: unknown) => {
      ended = 'given up';
      throw error;
    },
  );
  const deliveries = (): number => subscriber.events.filter(({ kind }) => kind === 'message').length;
  let before: number | undefined;
  const what = `${subscriber.name} gets what came last`;
  await until(`${what}, or nothing more`, () => ended === 'got' || deliveries() === before, {
    step: async () => {
      before = deliveries();
      await within(ms, what, got).catch((error: unknown) => {
        if (ended === 'given up') throw error;
      });
    },
    ms: allSilentMs,
  });
  return ended === 'got';
}

function withoutPadding(text: string): string {
  return text.replaceAll(/x{20,}/g, 'x…');
}

/** Fails with the faults that were found, and if there was too little to judge. */
export function expectNoFaults(history: History, least: Partial<Verdict['judged']> = {}): Verdict {
  const verdict = judge(history);
  console.log(JSON.stringify({ ...verdict.judged, ...verdict.counts }));
  const details = verdict.faults.slice(0, 12).map(({ kind, detail }) => `${kind}: ${withoutPadding(detail)}`);
  expect(details, 'what was found').toEqual([]);
  expect(verdict.counts).toEqual(Object.fromEntries(faultKinds.map((kind) => [kind, 0])));
  for (const [what, count] of Object.entries(least) as [keyof Verdict['judged'], number][]) {
    expect(verdict.judged[what], what).toBeGreaterThanOrEqual(count);
  }
  return verdict;
}
