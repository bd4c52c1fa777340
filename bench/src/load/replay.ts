import { SocketIoClient } from '../wire/socket-io.ts';
import { closeClients } from './clients.ts';
import type { Deadline } from './deadline.ts';
import { Envelopes } from './envelopes.ts';
import type { ReplayJob } from './job.ts';
import { StoredTopic } from './stored-topic.ts';

export interface ReplayStretch {
  readonly deliveries: number;
  /** Time from the first subscription until all are live. */
  readonly elapsedMs: number;
}

interface Reader {
  readonly client: SocketIoClient;
  readonly envelopes: Envelopes;
  /** How many messages come before the first that the reader gets. */
  readonly skipped: number;
  received: number;
}

const publishEveryMs = 5;
/**
 * How many messages are published once all readers are live. Repeated deliveries would arrive before them.
 */
const messagesAfter = 100;

/** Subscribers that read stored messages, while one publisher may continue. */
export class Replay {
  readonly #job: ReplayJob;
  readonly #deadline: Deadline;
  readonly #topic: StoredTopic;
  #publisher: SocketIoClient | undefined;
  #readers: Reader[] = [];
  #opened = 0;
  #acknowledged = 0;
  #isSettling = false;
  #onProgress: () => void = () => {};

  constructor(job: ReplayJob, deadline: Deadline) {
    this.#job = job;
    this.#deadline = deadline;
    // One more reader, for the warm-up.
    this.#topic = new StoredTopic(job, job.subscribers + 1);
  }

  async open(): Promise<void> {
    this.#deadline.enter(() => `${this.#topic.published} of ${this.#job.messages} messages are published`);
    await this.#topic.fill();
    this.#acknowledged = this.#topic.published;
    this.#publisher = await SocketIoClient.open(this.#job.port, {
      onDelivery: () => this.#fail('The publisher got a delivery.'),
      onAck: () => {
        this.#acknowledged++;
        this.#onProgress();
      },
      onFailure: (reason) => this.#fail(`The publisher: ${reason}.`),
    });
  }

  /**
   * Makes subscribers connect and read their last messages. Resolves once all of them are live.
   *
   * @param each - how many of the stored messages each of them gets
   */
  async read(subscribers: number, each: number): Promise<ReplayStretch> {
    const skipped = this.#topic.published - each;
    for (let count = 0; count < subscribers; count++) this.#readers.push(await this.#openReader(skipped));
    const live = (): number => this.#readers.filter(({ envelopes }) => envelopes.isLive).length;
    this.#deadline.enter(() => `${this.#received()} messages have come, ${live()} subscribers are live`);
    const from = this.#topic.startAfter(skipped);
    const beganMs = performance.now();
    const publishing = this.#publishSteadily();
    try {
      await Promise.all(this.#readers.map(({ client }) => client.subscribeFrom(this.#topic.name, from)));
      await this.#until(() => live() === subscribers);
      return { deliveries: this.#received(), elapsedMs: performance.now() - beganMs };
    } finally {
      clearInterval(publishing);
    }
  }

  /**
   * Checks that the messages published now, and nothing else, follow the stored ones. Then closes the
   * subscribers.
   */
  async settle(): Promise<void> {
    this.#isSettling = true;
    for (let count = 0; count < messagesAfter; count++) this.#publish();
    const { published, checker } = this.#topic;
    this.#deadline.enter(
      () => checker.missing() ?? `${published - this.#acknowledged} acknowledgements are missing`,
    );
    await this.#until(
      () =>
        this.#acknowledged === published &&
        this.#readers.every(({ received, skipped }) => received === published - skipped),
    );
    this.#isSettling = false;
    closeClients(this.#readers.map(({ client }) => client));
    this.#readers = [];
  }

  close(): void {
    closeClients([
      ...this.#readers.map(({ client }) => client),
      ...(this.#publisher ? [this.#publisher] : []),
    ]);
  }

  async #openReader(skipped: number): Promise<Reader> {
    const subscriber = this.#opened++;
    const { name, checker, epoch, sequences } = this.#topic;
    checker.subscribed(subscriber, 0, skipped);
    const envelopes = new Envelopes({ checker, subscriber, topic: name, epoch, sequences });
    const client = await SocketIoClient.open(this.#job.port, {
      onDelivery: (bytes, start, end) => this.#take(reader, bytes, start, end),
      onAck: () => this.#fail(`Subscriber ${subscriber} got an acknowledgement.`),
      onFailure: (reason) => this.#fail(`Subscriber ${subscriber}: ${reason}.`),
    });
    const reader: Reader = { client, envelopes, skipped, received: 0 };
    return reader;
  }

  #take(reader: Reader, bytes: Buffer, start: number, end: number): void {
    let isMessage: boolean;
    try {
      isMessage = reader.envelopes.take(bytes, start, end);
    } catch (error) {
      return this.#deadline.fail(error as Error);
    }
    if (isMessage) reader.received++;
    if (!isMessage || this.#isSettling) this.#onProgress();
  }

  /** Publishes at the rate of the job, in small groups. */
  #publishSteadily(): NodeJS.Timeout | undefined {
    const { publishesPerSecond } = this.#job;
    if (publishesPerSecond === 0) return undefined;
    const first = this.#topic.published;
    const beganMs = performance.now();
    return setInterval(() => {
      const due = first + Math.floor(((performance.now() - beganMs) / 1e3) * publishesPerSecond);
      while (this.#topic.published < due) this.#publish();
    }, publishEveryMs);
  }

  #publish(): void {
    this.#publisher?.publish(this.#topic.name, this.#topic.next());
  }

  #until(isSo: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      this.#onProgress = () => {
        if (isSo()) resolve();
      };
      this.#onProgress();
    });
  }

  #received(): number {
    return this.#readers.reduce((sum, { received }) => sum + received, 0);
  }

  #fail(reason: string): void {
    this.#deadline.fail(new Error(reason));
  }
}
