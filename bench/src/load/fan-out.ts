import type { Client, Wire } from '../wire/client.ts';
import { HttpPublisher } from '../wire/http-publisher.ts';
import { Checker } from './checker.ts';
import { closeClients, openClients } from './clients.ts';
import { Content } from './content.ts';
import type { Deadline } from './deadline.ts';
import type { FanOutJob } from './job.ts';
import { Latencies, type LatencySummary } from './latencies.ts';

/** The end of a stretch of publishing: after a number of messages, or at a time. */
export interface StretchLimit {
  readonly messages?: number;
  readonly forMs?: number;
}

export interface Stretch extends LatencySummary {
  readonly messages: number;
  readonly deliveries: number;
  /** Time from the first publish to the last delivery and acknowledgement. */
  readonly elapsedMs: number;
}

interface Publisher {
  publish(topic: string, message: string): void;
  close(): void;
}

/**
 * The subscribers and publishers of one server. They are in one process, so that latencies have one clock.
 */
export class FanOut {
  readonly #job: FanOutJob;
  readonly #wire: Wire | undefined;
  readonly #deadline: Deadline;
  readonly #topics: readonly string[];
  readonly #receivers: number;
  readonly #content: Content;
  readonly #checker: Checker;
  readonly #latencies = new Latencies();
  #subscribers: readonly Client[] = [];
  #publishers: readonly Publisher[] = [];
  #published = 0;
  #acknowledged = 0;
  /** How many messages every subscriber has. */
  #everywhere = 0;
  /** How many publishes are not in flight any more, if deliveries are awaited. */
  #done = 0;
  #delivered = 0;
  #lastSequence = 0;
  #publishUntilMs = 0;
  /** Runs while messages are published at a rate. */
  #timer: NodeJS.Timeout | undefined;
  #onSettled: (() => void) | undefined;

  /** @param wire - undefined for a system without subscribers, of which only publishes are measured */
  constructor(job: FanOutJob, wire: Wire | undefined, deadline: Deadline) {
    this.#job = job;
    this.#wire = wire;
    this.#deadline = deadline;
    this.#topics = Array.from({ length: job.topics }, (_, index) => `topic-${index}`);
    this.#receivers = wire ? job.subscribersPerTopic : 0;
    this.#content = new Content(job.messageBytes);
    this.#checker = new Checker({
      subscribers: wire ? job.subscribers : 0,
      topics: this.#topics,
      publishers: job.publishing.over === 'http' ? job.publishing.connections : 1,
      messageBytes: job.messageBytes,
      bytesAfterMessage: wire?.bytesAfterMessage ?? 0,
    });
  }

  async open(): Promise<void> {
    const { port, subscribers, publishing } = this.#job;
    if (this.#wire) {
      let subscribed = 0;
      this.#deadline.enter(() => `${subscribed} of ${subscribers} subscribers have subscribed`);
      const topicsOf = this.#assignTopics();
      this.#subscribers = await openClients(this.#wire, port, {
        count: subscribers,
        topicsOf: (index) => (topicsOf[index] ?? []).map((topic) => this.#topics[topic] ?? ''),
        eventsOf: (index) => ({
          onDelivery: (bytes, start, end) => this.#take(index, bytes, start, end),
          onAck: () => this.#fail(`Subscriber ${index} got an acknowledgement.`),
          onFailure: (reason) => this.#fail(`Subscriber ${index}: ${reason}.`),
        }),
        onSubscribed: (count) => (subscribed = count),
      });
    }
    if (publishing.over === 'socket') this.#publishers = [await this.#openPublisher()];
    else
      this.#publishers = Array.from({ length: publishing.connections }, (_, at) => this.#httpPublisher(at));
  }

  /** Publishes. Resolves once every subscriber has everything and every publish is acknowledged. */
  async run({ messages = Infinity, forMs = Infinity }: StretchLimit): Promise<Stretch> {
    const first = this.#published;
    const deliveriesBefore = this.#delivered;
    this.#latencies.begin(first);
    this.#deadline.enter(() => this.#missing());
    const beganMs = performance.now();
    this.#lastSequence = first + messages;
    this.#publishUntilMs = beganMs + forMs;
    await new Promise<void>((resolve) => {
      this.#onSettled = resolve;
      const { publishing } = this.#job;
      if ('perSecond' in publishing) return this.#publishSteadily(publishing.perSecond);
      const window = publishing.over === 'http' ? 1 : publishing.window;
      for (const publisher of this.#publishers.keys()) {
        for (let inFlight = 0; inFlight < window; inFlight++) this.#publishNext(publisher);
      }
    });
    return {
      messages: this.#published - first,
      deliveries: this.#delivered - deliveriesBefore,
      elapsedMs: performance.now() - beganMs,
      ...this.#latencies.summary(),
    };
  }

  close(): void {
    closeClients([...this.#subscribers, ...this.#publishers]);
  }

  /**
   * Spreads topics evenly: every topic has as many subscribers as the others, and every subscriber as many
   * topics.
   */
  #assignTopics(): readonly number[][] {
    const { subscribers, subscribersPerTopic } = this.#job;
    const topicsOf = Array.from({ length: subscribers }, (): number[] => []);
    for (const topic of this.#topics.keys()) {
      for (let index = 0; index < subscribersPerTopic; index++) {
        const subscriber = (topic * subscribersPerTopic + index) % subscribers;
        topicsOf[subscriber]?.push(topic);
        this.#checker.subscribed(subscriber, topic);
      }
    }
    return topicsOf;
  }

  get #publishPort(): number {
    const { port, besides } = this.#job;
    return besides?.publishers?.port ?? port;
  }

  async #openPublisher(): Promise<Publisher> {
    if (!this.#wire) throw new Error('This system is published to over HTTP only.');
    return this.#wire.open(this.#publishPort, {
      onDelivery: () => this.#fail('The publisher got a delivery.'),
      onAck: () => this.#takeAck(0),
      onFailure: (reason) => this.#fail(`The publisher: ${reason}.`),
    });
  }

  #httpPublisher(index: number): Publisher {
    const events = {
      onAck: () => this.#takeAck(index),
      onFailure: (reason: string) => this.#fail(`Publisher ${index}: ${reason}.`),
    };
    return new HttpPublisher(this.#publishPort, events, this.#wire?.token);
  }

  /** Publishes what is due, every millisecond. */
  #publishSteadily(perSecond: number): void {
    const first = this.#published;
    const beganMs = performance.now();
    this.#timer = setInterval(() => {
      const due = first + Math.ceil(((performance.now() - beganMs) / 1e3) * perSecond);
      while (this.#published < due && !this.#isOver(performance.now())) this.#publishNext(0);
      if (!this.#isOver(performance.now())) return;
      clearInterval(this.#timer);
      this.#timer = undefined;
      this.#settleWhenDone();
    }, 1);
  }

  /** Whether all messages of the stretch are published. */
  #isOver(nowMs: number): boolean {
    return this.#published >= this.#lastSequence || nowMs >= this.#publishUntilMs;
  }

  #publishNext(publisher: number): void {
    const nowMs = performance.now();
    if (this.#isOver(nowMs)) return;
    const topic = this.#published % this.#topics.length;
    const name = this.#topics[topic] ?? '';
    const message = this.#content.message(this.#published);
    this.#checker.published(topic, publisher, this.#wire?.delivery(name, message) ?? Buffer.alloc(0));
    this.#published++;
    this.#latencies.sent(nowMs);
    this.#publishers[publisher]?.publish(name, message);
  }

  get #awaitsDeliveries(): boolean {
    const { publishing } = this.#job;
    return 'untilDelivered' in publishing && publishing.untilDelivered;
  }

  /**
   * Publishes the next message, unless it has its own time, or deliveries or the acknowledgement of the last
   * one are awaited.
   */
  #goOn(publisher: number): void {
    if ('perSecond' in this.#job.publishing) return;
    if (this.#awaitsDeliveries) {
      if (Math.min(this.#acknowledged, this.#everywhere) === this.#done) return;
      this.#done++;
    }
    this.#publishNext(publisher);
  }

  #takeAck(publisher: number): void {
    this.#acknowledged++;
    if (this.#acknowledged > this.#published)
      return this.#fail('There are more acknowledgements than publishes.');
    this.#goOn(publisher);
    this.#settleWhenDone();
  }

  #take(subscriber: number, bytes: Buffer, start: number, end: number): void {
    let sequence: number;
    try {
      sequence = this.#checker.received(subscriber, bytes, start, end);
    } catch (error) {
      return this.#deadline.fail(error as Error);
    }
    this.#delivered++;
    if (!this.#latencies.arrived(sequence, this.#receivers, performance.now())) return;
    this.#checker.isEverywhere(sequence);
    this.#everywhere++;
    if (this.#awaitsDeliveries) this.#goOn(0);
    this.#settleWhenDone();
  }

  #settleWhenDone(): void {
    // More may be due later.
    if (this.#timer) return;
    if (this.#acknowledged < this.#published || this.#delivered < this.#published * this.#receivers) return;
    this.#onSettled?.();
    this.#onSettled = undefined;
  }

  #missing(): string {
    const acks = this.#published - this.#acknowledged;
    return this.#checker.missing() ?? `${acks} acknowledgements are missing`;
  }

  #fail(reason: string): void {
    this.#deadline.fail(new Error(reason));
  }
}
