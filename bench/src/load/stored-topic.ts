import { httpBatchWire } from '../wire/http-batches.ts';
import { askOnce } from '../wire/http.ts';
import type { BatchAnswer } from '../wire/batches.ts';
import { Checker } from './checker.ts';
import { Content } from './content.ts';
import { bytesAfterMessage, envelopeStart } from './envelopes.ts';
import type { ReplayJob } from './job.ts';

const batchMessages = 1000;

/** A topic with stored messages, and what is known about them. */
export class StoredTopic {
  readonly name: string;
  readonly checker: Checker;
  /** The place of each message in the log, if the answers to publishes report it. */
  readonly sequences: number[] = [];
  readonly #job: ReplayJob;
  readonly #content: Content;
  #epoch = '';
  #published = 0;

  /** @param subscribers - the number of subscribers that will come */
  constructor(job: ReplayJob, subscribers: number) {
    this.#job = job;
    this.name = job.topic;
    this.#content = new Content(job.messageBytes);
    const { messageBytes } = job;
    this.checker = new Checker({
      subscribers,
      topics: [this.name],
      publishers: 1,
      messageBytes,
      bytesAfterMessage,
    });
  }

  get epoch(): string {
    return this.#epoch;
  }

  /** How many messages were published to it. */
  get published(): number {
    return this.#published;
  }

  /** Creates the topic and its messages, all by one publisher. */
  async fill(): Promise<void> {
    const { port, stored, messages } = this.#job;
    const wire = httpBatchWire(stored);
    await wire.createTopic(port, this.name);
    await new Promise<void>((resolve, reject) => {
      const publishNext = (): void => {
        const count = Math.min(batchMessages, messages - this.#published);
        if (count > 0)
          return publisher.publish(
            this.name,
            Array.from({ length: count }, () => this.next()),
          );
        publisher.close();
        resolve();
      };
      const onAnswer = ({ sequences }: BatchAnswer): void => {
        for (const sequence of sequences ?? []) this.sequences.push(sequence);
        publishNext();
      };
      const publisher = wire.open(port, { onAnswer, onFailure: (reason) => reject(new Error(reason)) });
      publishNext();
    });
    const { body } = await askOnce(port, (http) => http.get(`/topics/${this.name}`));
    const { lastOffset = '' } = JSON.parse(body) as { readonly lastOffset?: string };
    this.#epoch = lastOffset.slice(0, lastOffset.indexOf('.'));
  }

  /** The next message to publish. */
  next(): string {
    const message = this.#content.message(this.#published++);
    this.checker.published(0, 0, envelopeStart(this.name, message));
    return message;
  }

  /** The start that skips a number of messages, as JSON. */
  startAfter(messages: number): string {
    return messages === 0 ? '"earliest"' : `"${this.#epoch}.${this.sequences[messages - 1]}"`;
  }
}
