import { decimalBefore, isAt } from '../wire/bytes.ts';
import { ContentError, type Checker } from './checker.ts';

export interface EnvelopesOptions {
  readonly checker: Checker;
  /** The number of the subscriber in the checker. */
  readonly subscriber: number;
  readonly topic: string;
  /** The epoch of the server's log. */
  readonly epoch: string;
  /** The place in the log of each message whose publish was answered, by the number of the message. */
  readonly sequences: readonly number[];
}

const eventEnd = '}]';
const timeDigits = 13;
const beforeTime = Buffer.from('","time":');
const dot = 0x2e;

/**
 * The bytes with which a message arrives in an envelope, up to its offset. Only the server knows the rest,
 * which {@link Envelopes} checks.
 */
export function envelopeStart(topic: string, message: string): Buffer {
  return Buffer.from(`42["message",{"topic":"${topic}","message":"${message}"`);
}

/** How many bytes of {@link envelopeStart} come after the message. */
export const bytesAfterMessage: number = '"'.length;

/**
 * Compares the events of one subscriber with what was published: the bytes and the offset of every message,
 * whether it has `replay`, and whether the event `state` comes when the subscription is live.
 */
export class Envelopes {
  readonly #options: EnvelopesOptions;
  readonly #becomesLive: Buffer;
  readonly #catchesUp: Buffer;
  readonly #replayEnd: Buffer;
  readonly #liveEnd = Buffer.from(eventEnd);
  readonly #beforeSequence: Buffer;
  #isLive = false;
  #sequence = 0;
  #timeMs = 0;

  constructor(options: EnvelopesOptions) {
    const { topic, epoch } = options;
    this.#options = options;
    this.#becomesLive = Buffer.from(`42["state",{"topic":"${topic}","state":"live",`);
    this.#catchesUp = Buffer.from(`42["state",{"topic":"${topic}","state":"catching_up",`);
    this.#replayEnd = Buffer.from(`,"replay":"${topic}"${eventEnd}`);
    this.#beforeSequence = Buffer.from(`,"offset":"${epoch}`);
  }

  get isLive(): boolean {
    return this.#isLive;
  }

  /**
   * @returns whether it was a message
   * @throws ContentError
   */
  take(bytes: Buffer, start: number, end: number): boolean {
    if (isAt(bytes, start, this.#becomesLive) || isAt(bytes, start, this.#catchesUp)) {
      const isLive = isAt(bytes, start, this.#becomesLive);
      if (isLive === this.#isLive) throw this.#wrong('was told a state that it is in', bytes, start, end);
      this.#isLive = isLive;
      return false;
    }
    const messageEnd = this.#takeRest(bytes, start, end);
    const { checker, subscriber, sequences } = this.#options;
    const sequence = sequences[checker.received(subscriber, bytes, start, messageEnd)];
    if (sequence !== undefined && sequence !== this.#sequence)
      throw this.#wrong(`got a message that has the place ${sequence} with another`, bytes, start, end);
    return true;
  }

  /** @returns where the message and the quotation mark after it end */
  #takeRest(bytes: Buffer, start: number, end: number): number {
    const expectedEnd = this.#isLive ? this.#liveEnd : this.#replayEnd;
    const timeEnd = end - expectedEnd.length;
    const sequenceEnd = timeEnd - timeDigits - beforeTime.length;
    const timeMs = decimalBefore(bytes, timeEnd - timeDigits, timeEnd);
    if (
      !isAt(bytes, timeEnd, expectedEnd) ||
      !isAt(bytes, sequenceEnd, beforeTime) ||
      !(timeMs >= this.#timeMs)
    )
      throw this.#wrong(
        `got, ${this.#isLive ? 'live' : 'catching up'}, what is no such envelope`,
        bytes,
        start,
        end,
      );
    let dotAt = sequenceEnd;
    while (dotAt > start && bytes[dotAt] !== dot) dotAt--;
    const sequence = decimalBefore(bytes, dotAt + 1, sequenceEnd);
    const messageEnd = dotAt - this.#beforeSequence.length;
    if (!isAt(bytes, messageEnd, this.#beforeSequence) || !(sequence > this.#sequence))
      throw this.#wrong(`got, after the place ${this.#sequence}, another offset`, bytes, start, end);
    this.#sequence = sequence;
    this.#timeMs = timeMs;
    return messageEnd;
  }

  #wrong(what: string, bytes: Buffer, start: number, end: number): ContentError {
    const text = bytes.toString('latin1', start, Math.min(end, start + 400));
    return new ContentError(`Subscriber ${this.#options.subscriber} ${what}: ${text}.`);
  }
}
