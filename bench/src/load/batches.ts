import type { BatchAnswer, BatchPublisher, BatchWire } from '../wire/batches.ts';
import { ContentError } from './checker.ts';
import { closeClients } from './clients.ts';
import { Content } from './content.ts';
import type { Deadline } from './deadline.ts';
import type { StretchLimit } from './fan-out.ts';
import type { BatchesJob } from './job.ts';
import { percentile } from './latencies.ts';
import { Sequences } from './sequences.ts';

export interface BatchStretch {
  readonly messages: number;
  readonly elapsedMs: number;
  readonly answerP50Ms: number;
  readonly answerP99Ms: number;
}

/** How many messages a topic keeps by default. */
const usuallyKept = 100_000;

/**
 * Connections that publish batches to one server. Each publishes the next batch when the last one is
 * answered.
 */
export class Batches {
  readonly #job: BatchesJob;
  readonly #wire: BatchWire;
  readonly #deadline: Deadline;
  readonly #content: Content;
  readonly #sequences = new Sequences();
  #publishers: readonly BatchPublisher[] = [];
  readonly #sentMs: number[] = [];
  #answersMs: number[] = [];
  #published = 0;
  #answered = 0;
  #lastSequence = 0;
  #publishUntilMs = 0;
  #onSettled: (() => void) | undefined;

  constructor(job: BatchesJob, wire: BatchWire, deadline: Deadline) {
    this.#job = job;
    this.#wire = wire;
    this.#deadline = deadline;
    this.#content = new Content(job.messageBytes);
  }

  async open(): Promise<void> {
    const { port, connections, topic } = this.#job;
    await this.#wire.createTopic(port, topic);
    this.#publishers = Array.from({ length: connections }, (_, index) =>
      this.#wire.open(port, {
        onAnswer: (answer) => this.#takeAnswer(index, answer),
        onFailure: (reason) => this.#deadline.fail(new Error(`Publisher ${index}: ${reason}.`)),
      }),
    );
  }

  /** Publishes, and resolves once every batch is answered. */
  async run({ messages = Infinity, forMs = Infinity }: StretchLimit): Promise<BatchStretch> {
    const first = this.#published;
    this.#answersMs = [];
    this.#deadline.enter(() => `${this.#published - this.#answered} messages have no answer`);
    const beganMs = performance.now();
    this.#lastSequence = first + messages;
    this.#publishUntilMs = beganMs + forMs;
    await new Promise<void>((resolve) => {
      this.#onSettled = resolve;
      for (const publisher of this.#publishers.keys()) this.#publishNext(publisher);
    });
    return {
      messages: this.#published - first,
      elapsedMs: performance.now() - beganMs,
      answerP50Ms: percentile(this.#answersMs, 50),
      answerP99Ms: percentile(this.#answersMs, 99),
    };
  }

  /**
   * Checks that the server has every message that it accepted.
   *
   * @throws ContentError
   */
  async check(): Promise<void> {
    const { port, topic, keepsAll } = this.#job;
    this.#deadline.enter(() => 'the server has not told how many messages there are');
    const missing = this.#sequences.missing();
    if (missing !== undefined) throw new ContentError(`After ${this.#answered} messages: ${missing}.`);
    const count = await this.#wire.count(port, topic);
    const most = this.#wire.isStored ? this.#answered : 0;
    const least = keepsAll ? most : Math.min(most, usuallyKept);
    if (count < least || count > most)
      throw new ContentError(
        `The server keeps ${count} of the ${this.#answered} messages that it has accepted.`,
      );
  }

  close(): void {
    closeClients(this.#publishers);
  }

  #publishNext(publisher: number): void {
    const nowMs = performance.now();
    if (this.#published >= this.#lastSequence || nowMs >= this.#publishUntilMs) return;
    const { topic, batchMessages } = this.#job;
    const first = this.#published;
    const messages = Array.from({ length: batchMessages }, (_, at) => this.#content.message(first + at));
    this.#published += batchMessages;
    this.#sentMs[publisher] = nowMs;
    this.#publishers[publisher]?.publish(topic, messages);
  }

  #takeAnswer(publisher: number, { sequences }: BatchAnswer): void {
    this.#answersMs.push(performance.now() - (this.#sentMs[publisher] ?? 0));
    try {
      if (sequences) this.#sequences.add(sequences);
    } catch (error) {
      return this.#deadline.fail(error as Error);
    }
    this.#answered += this.#job.batchMessages;
    this.#publishNext(publisher);
    if (this.#answered < this.#published) return;
    this.#onSettled?.();
    this.#onSettled = undefined;
  }
}
