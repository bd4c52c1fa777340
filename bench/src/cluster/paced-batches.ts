import { randomUUID } from 'node:crypto';
import { ContentError } from '../load/checker.ts';
import { Content } from '../load/content.ts';
import type { Deadline } from '../load/deadline.ts';
import { Sequences } from '../load/sequences.ts';
import { markerTopic, type Markers } from './markers.ts';
import type { BareFunctions, NewRecord } from './redis-log.ts';

export interface PacedBatchesOptions {
  readonly bare: BareFunctions;
  readonly messagesPerSecond: number;
  readonly batchMessages: number;
  readonly topics: number;
  readonly messageBytes: number;
  readonly markers: Markers;
  readonly deadline: Deadline;
}

/** So many batches have one marker. */
const markerEvery = 50;

/** As many as a node has in flight. */
const inFlightMax = 4;

/**
 * Calls the function `append` at a steady rate, each time with a batch over all topics in turn. A batch that
 * is due while too many are in flight is sent as soon as one of them is answered.
 */
export class PacedBatches {
  readonly #options: PacedBatchesOptions;
  readonly #content: Content;
  readonly #node = randomUUID();
  readonly #sequences = new Sequences();
  #batches = 0;
  #inFlight = 0;

  constructor(options: PacedBatchesOptions) {
    this.#options = options;
    this.#content = new Content(options.messageBytes);
  }

  /** Appends for a time, and then a marker. Resolves to the number of messages once all are answered. */
  async run(ms: number): Promise<number> {
    const { messagesPerSecond, batchMessages, deadline } = this.#options;
    const first = this.#batches;
    const beganMs = performance.now();
    deadline.enter(() => `${this.#inFlight} batches have no answer`);
    for (;;) {
      const elapsedMs = performance.now() - beganMs;
      if (elapsedMs >= ms) break;
      const due = (elapsedMs * messagesPerSecond) / 1e3 / batchMessages;
      while (this.#batches - first + 1 <= due && this.#inFlight < inFlightMax) void this.#append(false);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await this.#append(true);
    while (this.#inFlight > 0) await new Promise((resolve) => setTimeout(resolve, 1));
    const missing = this.#sequences.missing();
    if (missing !== undefined) throw new ContentError(`${missing}.`);
    return (this.#batches - first) * batchMessages;
  }

  async #append(isLast: boolean): Promise<void> {
    const { bare, markers, deadline } = this.#options;
    const hasMarker = isLast || this.#batches % markerEvery === 0;
    const records = this.#nextRecords(hasMarker);
    this.#inFlight++;
    try {
      const sequences = await bare.append(this.#node, this.#batches, records);
      this.#sequences.add(sequences);
      if (hasMarker) markers.published(sequences[0] ?? 0);
      this.#inFlight--;
    } catch (error) {
      deadline.fail(error as Error);
    }
  }

  #nextRecords(hasMarker: boolean): readonly NewRecord[] {
    const { batchMessages, topics } = this.#options;
    const first = this.#batches++ * batchMessages;
    return Array.from({ length: batchMessages }, (_, at) => {
      const topic = hasMarker && at === 0 ? markerTopic : `topic-${(first + at) % topics}`;
      return { topic, messageJson: `"${this.#content.message(first + at)}"` } as NewRecord;
    });
  }
}
