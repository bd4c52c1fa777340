import { setTimeout as sleep } from 'node:timers/promises';
import type { RunningServer } from '../processes.ts';
import { BatchPublisher, type Audience } from './load.ts';
import { textOf } from './measure/sample.ts';

/** A real run, and the same in the model. */
export interface CheckShape {
  readonly nodes: number;
  readonly clientsPerNode: number;
  readonly topics: number;
  readonly subscriptionsPerClient: number;
  readonly publishesPerSecond: number;
  readonly batchMessages: number;
  readonly messageBytes: number;
  readonly seconds: number;
  /** How long nodes are left alone before their memory is read. */
  readonly quietMs: number;
}

/** The topics of a client, by their numbers. */
export function topicsOf({ subscriptionsPerClient, topics }: CheckShape, client: number): number[] {
  return Array.from(
    { length: subscriptionsPerClient },
    (_, at) => (client * subscriptionsPerClient + at) % topics,
  );
}

/** Publishes at a rate, through all nodes alike. */
export class PacedLoad {
  readonly topics: readonly string[];
  readonly #shape: CheckShape;
  readonly #publishers: readonly BatchPublisher[];
  /** For each topic. */
  readonly #published: number[];
  #requests = 0;

  constructor(shape: CheckShape, nodes: readonly Pick<RunningServer, 'port'>[]) {
    this.#shape = shape;
    this.#publishers = nodes.map(({ port }) => new BatchPublisher(port));
    this.#published = Array.from({ length: shape.topics }, () => 0);
    this.topics = Array.from({ length: shape.topics }, (_, at) => `topic-${at}`);
  }

  get published(): number {
    return sum(this.#published);
  }

  /** How many deliveries there must be. */
  get due(): number {
    const { nodes, clientsPerNode } = this.#shape;
    return sum(Array.from({ length: nodes * clientsPerNode }, (_, client) => this.#dueTo(client)));
  }

  async run(seconds: number): Promise<void> {
    const { publishesPerSecond, batchMessages } = this.#shape;
    const everyMs = (1e3 * batchMessages * this.#publishers.length) / publishesPerSecond;
    const beganMs = performance.now();
    await Promise.all(
      this.#publishers.map(async (publisher, at) => {
        const firstMs = beganMs + (everyMs * at) / this.#publishers.length;
        for (let nextMs = firstMs; nextMs < beganMs + seconds * 1e3; nextMs += everyMs) {
          const waitMs = nextMs - performance.now();
          if (waitMs > 0) await sleep(waitMs);
          await this.#publish(publisher);
        }
      }),
    );
  }

  /** @throws Error if a client did not get exactly what was published to its topics */
  expectAll({ received }: Pick<Audience, 'received'>): void {
    for (const [client, count] of received.entries()) {
      const due = this.#dueTo(client);
      if (count !== due) throw new Error(`Client ${client} got ${count} messages instead of ${due}.`);
    }
  }

  close(): void {
    for (const publisher of this.#publishers) publisher.close();
  }

  async #publish(publisher: BatchPublisher): Promise<void> {
    const { batchMessages, messageBytes, topics } = this.#shape;
    const topic = this.#requests++ % topics;
    this.#published[topic] = (this.#published[topic] ?? 0) + batchMessages;
    await publisher.publish(
      Array.from({ length: batchMessages }, (_, at) => ({
        topic: this.topics[topic] ?? '',
        text: textOf(this.#requests * batchMessages + at, messageBytes),
      })),
    );
  }

  #dueTo(client: number): number {
    return sum(topicsOf(this.#shape, client).map((topic) => this.#published[topic] ?? 0));
  }
}

export function sum(values: readonly number[]): number {
  return values.reduce((all, value) => all + value, 0);
}
