import { httpBatchWire } from '../wire/http-batches.ts';
import { askOnce } from '../wire/http.ts';
import type { BatchAnswer } from '../wire/batches.ts';
import { Checker } from './checker.ts';
import { Content } from './content.ts';
import { bytesAfterMessage, envelopeStart } from './envelopes.ts';
import type { ReplayJob } from './job.ts';

const batchMessages = 1000;

/** A topic of the server's that has messages, and what is known of them. */
export class StoredTopic {
  readonly name: string;
  readonly checker: Checker;
  /** Of each message its place in the log, as far as publishes are answered with it. */
  readonly sequences: number[] = [];
  readonly #job: ReplayJob;
  readonly #content: Content;
  #epoch = '';
  #published = 0;

  /** @param subscribers - how many there will be */
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

  /** How many messages it has been sent. */
  get published(): number {
    return this.#published;
  }

  /** Makes the topic and its messages, all of one publisher. */
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

  /** The next message that is to be published. */
  next(): string {
    const message = this.#content.message(this.#published++);
    this.checker.published(0, 0, envelopeStart(this.name, message));
    return message;
  }

  /** Where to start to be given all but the first messages, as JSON. */
  startAfter(messages: number): string {
    return messages === 0 ? '"earliest"' : `"${this.#epoch}.${this.sequences[messages - 1]}"`;
  }
}
