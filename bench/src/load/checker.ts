import { sequenceAt } from './content.ts';

export interface CheckerOptions {
  readonly subscribers: number;
  readonly topics: readonly string[];
  /** Messages of one publisher to one topic have an order. Messages of two publishers do not. */
  readonly publishers: number;
  readonly messageBytes: number;
  /** How many bytes of a delivery come after the message. */
  readonly bytesAfterMessage: number;
}

/** The server delivered something other than what was published. */
export class ContentError extends Error {}

interface Stream {
  readonly topic: number;
  readonly sequences: number[];
}

const notSubscribed = 0xffff_ffff;

/**
 * Compares every delivery with what was published: each subscriber must get each message of its topics once,
 * in order, byte for byte, and nothing else.
 *
 * A stream is everything that one publisher publishes to one topic. Messages are numbered from 0 in the order
 * of publishing. Subscribers, topics and publishers are numbered by their place.
 */
export class Checker {
  readonly #options: CheckerOptions;
  readonly #streams: readonly Stream[];
  /** The stream of each message, its place in the stream, and its bytes until every subscriber has it. */
  readonly #streamOf: number[] = [];
  readonly #placeOf: number[] = [];
  readonly #deliveries: (Buffer | undefined)[] = [];
  /** The place of the next message, for each subscriber and stream. */
  readonly #due: Uint32Array;

  constructor(options: CheckerOptions) {
    const { subscribers, topics, publishers } = options;
    this.#options = options;
    this.#streams = topics.flatMap((_, topic) =>
      Array.from({ length: publishers }, () => ({ topic, sequences: [] })),
    );
    this.#due = new Uint32Array(subscribers * this.#streams.length).fill(notSubscribed);
  }

  /**
   * To be called before anything is published to the topic, unless `place` says from where messages are due.
   *
   * @param place - how many messages of each publisher of the topic come before the first that is due
   */
  subscribed(subscriber: number, topic: number, place = 0): void {
    const { publishers } = this.#options;
    const from = subscriber * this.#streams.length + topic * publishers;
    this.#due.fill(place, from, from + publishers);
  }

  /**
   * @param delivery - the bytes with which the message has to arrive
   * @returns the message's sequence number
   */
  published(topic: number, publisher: number, delivery: Buffer): number {
    const index = topic * this.#options.publishers + publisher;
    const stream = this.#streams[index];
    if (!stream) throw new RangeError(`There is no topic ${topic} with publisher ${publisher}.`);
    const sequence = this.#streamOf.push(index) - 1;
    this.#placeOf.push(stream.sequences.push(sequence) - 1);
    this.#deliveries.push(delivery);
    return sequence;
  }

  /**
   * @returns the message's sequence number
   * @throws ContentError
   */
  received(subscriber: number, bytes: Buffer, start: number, end: number): number {
    const { messageBytes, bytesAfterMessage } = this.#options;
    const sequence = sequenceAt(bytes, end - bytesAfterMessage - messageBytes);
    const index = this.#streamOf[sequence];
    if (index === undefined || end - start < messageBytes + bytesAfterMessage) {
      throw this.#unknown(subscriber, bytes, start, end);
    }
    const at = subscriber * this.#streams.length + index;
    const due = this.#due[at];
    const delivery = this.#deliveries[sequence];
    if (delivery && (delivery.length !== end - start || delivery.compare(bytes, start, end) !== 0)) {
      throw this.#altered(subscriber, sequence, bytes.toString('latin1', start, end), delivery);
    }
    if (due === undefined || due !== this.#placeOf[sequence])
      throw this.#outOfTurn(subscriber, sequence, due);
    this.#due[at] = due + 1;
    return sequence;
  }

  /** Every subscriber has the message, so its bytes are no longer needed. */
  isEverywhere(sequence: number): void {
    this.#deliveries[sequence] = undefined;
  }

  /** Says what has not arrived, as the end of a sentence. Undefined if everything has. */
  missing(): string | undefined {
    let count = 0;
    let first: string | undefined;
    for (let subscriber = 0; subscriber < this.#options.subscribers; subscriber++) {
      for (const [index, { topic, sequences }] of this.#streams.entries()) {
        const due = this.#due[subscriber * this.#streams.length + index] ?? notSubscribed;
        if (due >= sequences.length) continue;
        count += sequences.length - due;
        first ??= `subscriber ${subscriber} waits for message ${sequences[due]} of topic '${this.#name(topic)}'`;
      }
    }
    return first === undefined ? undefined : `${count} deliveries are missing: ${first}`;
  }

  #outOfTurn(subscriber: number, sequence: number, due: number | undefined): ContentError {
    const stream = this.#streams[this.#streamOf[sequence] ?? 0];
    const what = `message ${sequence} of topic '${this.#name(stream?.topic)}'`;
    if (due === undefined || due === notSubscribed) {
      return new ContentError(`Subscriber ${subscriber} got ${what}, to which it is not subscribed.`);
    }
    if (due > (this.#placeOf[sequence] ?? 0)) {
      return new ContentError(`Subscriber ${subscriber} got ${what} again.`);
    }
    return new ContentError(
      `Subscriber ${subscriber} got ${what} when message ${stream?.sequences[due]} was due: that one was dropped or comes too late.`,
    );
  }

  #altered(subscriber: number, sequence: number, got: string, delivery: Buffer): ContentError {
    const expected = delivery.toString('latin1');
    let place = 0;
    while (place < expected.length && got[place] === expected[place]) place++;
    return new ContentError(
      `Subscriber ${subscriber} got message ${sequence} altered: at byte ${place} ` +
        `${JSON.stringify(got.slice(place, place + 40))} instead of ${JSON.stringify(expected.slice(place, place + 40))}.`,
    );
  }

  #unknown(subscriber: number, bytes: Buffer, start: number, end: number): ContentError {
    const text = JSON.stringify(bytes.toString('latin1', start, Math.min(end, start + 120)));
    return new ContentError(`Subscriber ${subscriber} got bytes that nobody published: ${text}.`);
  }

  #name(topic: number | undefined): string {
    return this.#options.topics[topic ?? -1] ?? '';
  }
}
