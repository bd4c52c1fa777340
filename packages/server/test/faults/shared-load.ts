import { expect, onTestFinished } from 'vitest';
import { until } from '../../../../test/waits.ts';
import type { RedisServer } from '../redis/redis-server.ts';
import type { Verdict } from './history.ts';
import { declareTopics, publishHttp, readHistory } from './http.ts';
import { expectNoFaults, settle, topics } from './load.ts';
import { publishBatches, publishEvents, publishSingly } from './publishers.ts';
import type { Random } from './random.ts';
import { Random as NewRandom } from './random.ts';
import { SdkSubscriber } from './sdk-subscriber.ts';
import { earlierEpochs } from './shared-fanfare.ts';
import { StreamSubscriber } from './stream-subscriber.ts';
import { Subscriber } from './subscriber.ts';
import { World, type Stored } from './world.ts';

/** How often publishers may publish, in milliseconds. */
const publishEveryMs = 20;

const retryMs = 50;
const reconnectionMs = 50;

export interface SharedLoadOptions {
  readonly redis: RedisServer;
  /** Of all nodes: publishers and subscribers are spread over them. */
  readonly urls: readonly string[];
  readonly random: Random;
  readonly stored?: Stored;
  /** A load balancer before the nodes: it gets some more subscribers. By default there is none. */
  readonly balancer?: string | undefined;
}

/** What a publish came to, and how long that took. */
export interface Probe {
  readonly ms: number;
  readonly outcome: 'ok' | 'fail' | 'unknown';
  readonly code?: string;
}

/** Publishers and subscribers of every kind, spread over nodes, that work until the test ends. */
export class SharedLoad {
  readonly world: World;
  readonly subscribers: readonly (Subscriber | SdkSubscriber | StreamSubscriber)[];
  /** Those that come through the load balancer. */
  readonly balanced: readonly Subscriber[];
  readonly #redis: RedisServer;
  readonly #urls: readonly string[];
  readonly #publishers: Promise<unknown>;
  readonly #timer: NodeJS.Timeout;
  #probes = 0;

  private constructor({ redis, urls, random, stored = 'memory', balancer }: SharedLoadOptions) {
    this.#redis = redis;
    this.#urls = urls;
    const world = new World(topics, stored, retryMs);
    this.world = world;
    world.setUp(...urls);
    world.grant(0);
    this.#timer = setInterval(() => world.grant(1), publishEveryMs);
    const kinds = { single: publishSingly, batches: publishBatches, events: publishEvents('websocket') };
    this.#publishers = Promise.all(
      Object.entries(kinds).map(async ([name, publish]) =>
        publish(world, name, new NewRandom(random.below(1e9))),
      ),
    );
    this.#publishers.catch(() => world.end());
    const urlOf = (at: number): string => urls[at % urls.length] ?? '';
    const stock = (
      name: string,
      at: number,
      ...wanted: ConstructorParameters<typeof Subscriber>[3][number][]
    ) =>
      new Subscriber(world, name, urlOf(at), wanted, at % 2 === 0 ? 'websocket' : 'upgrade', reconnectionMs);
    this.balanced = (balancer === undefined ? [] : topics).map((interest) => {
      const wanted = [{ interest, from: 'earliest' as const }];
      return new Subscriber(world, `balanced, of ${interest}`, balancer ?? '', wanted, 'websocket', 50);
    });
    this.subscribers = [
      ...this.balanced,
      stock('of a topic', 0, { interest: 'orders' }),
      stock('of a pattern', 1, { interest: 'orders/**' }, { interest: 'news' }),
      stock('of everything', 2, { interest: '**', from: 'earliest' }),
      new SdkSubscriber(world, 'an app', urlOf(0), '**'),
      new SdkSubscriber(world, 'another app', urlOf(1), 'orders/eu'),
      new StreamSubscriber(world, 'a stream', urlOf(1), 'orders/**'),
      new StreamSubscriber(world, 'another stream', urlOf(2), 'news'),
    ];
    onTestFinished(() => this.#stop());
  }

  /** Starts it, and waits until all subscribers are subscribed and some publishes are acknowledged. */
  static async start(options: SharedLoadOptions): Promise<SharedLoad> {
    await declareTopics(options.urls[0] ?? '', topics);
    const load = new SharedLoad(options);
    await load.subscribed();
    await load.world.acknowledges(30);
    return load;
  }

  async subscribed(): Promise<void> {
    await Promise.all(this.subscribers.map(async (each) => each.subscribed()));
  }

  /** Publishes one message, as a part of the history. @param id - that of a probe that had no answer */
  async probe(url: string, id = `probe ${++this.#probes}`): Promise<Probe & { readonly id: string }> {
    const message = { probe: id };
    const answered = this.world.send({ publisher: id, topic: 'news', content: JSON.stringify(message), id });
    const since = performance.now();
    const [outcome = { kind: 'unknown' as const }] = await publishHttp(
      url,
      { topic: 'news', message, id },
      this.world.stored,
    );
    answered(outcome);
    const ms = Math.round(performance.now() - since);
    return { id, ms, outcome: outcome.kind, ...(outcome.kind === 'fail' && { code: outcome.code }) };
  }

  /** Retries a probe until it is acknowledged. @returns how long that took, in milliseconds */
  async recovers(url: string, id?: string): Promise<number> {
    const since = performance.now();
    let last = await this.probe(url, id);
    await until('a publish is acknowledged again', () => last.outcome === 'ok', {
      step: async () => {
        await this.world.backOff();
        last = await this.probe(url, last.id);
      },
      soFar: () => last,
      ms: 60_000,
    });
    return Math.round(performance.now() - since);
  }

  /** Ends the load, and judges all that was seen. */
  async judge(mayLose = false, redis: RedisServer = this.#redis): Promise<Verdict> {
    await this.subscribed();
    const [url = ''] = this.#urls;
    await this.recovers(url);
    this.world.setUp(...this.#urls);
    this.world.end();
    await this.#publishers;
    await settle(this.world, url, this.subscribers);
    const kept = await readHistory(url);
    const earlier = await earlierEpochs(redis, this.world.publishes, kept);
    this.#stop();
    expect(this.subscribers.flatMap(({ refusals }) => refusals)).toEqual([]);
    return expectNoFaults({ ...this.world.history(kept), earlier, mayLose }, { acknowledged: 60, runs: 8 });
  }

  #stop(): void {
    clearInterval(this.#timer);
    this.world.end();
    for (const each of this.subscribers) {
      if (each instanceof Subscriber) each.client.close();
      else each.close();
    }
  }
}
