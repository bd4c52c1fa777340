import { isReservedTopic, type Form, type Interest } from '@fanfare/protocol';
import type { LogRecord, PageLimit } from '../log/topic-log.ts';
import { encodeDelivery, type PeerEvent } from './peer-events.ts';

/**
 * The size of the pages that subscriptions read to catch up: one millisecond of work. The fan-out treats a
 * page as a small message.
 */
export const pageLimit: PageLimit = { recordsMax: 512, bytesMax: 48 * 1_024 };

/**
 * How many pages are read in a turn of the event loop. It is a number and not a time ({@link Pacer}): under
 * load, a subscription must read faster than messages are published, or it would never become live again.
 */
const pagesPerTurn = 8;

/** How many pages are read at the same time, if the log takes time to answer. */
const readsMax = 64;

/** How long a replay waits while the log cannot be reached. */
const retryMs = 500;

/** A reader of the log at its own pace. */
export interface Replay {
  /** Reads one page and offers it to the peer. MUST NOT reject. @returns whether to continue at once */
  offerPage(): Promise<boolean>;
}

/** Schedules the subscriptions that are catching up. Each reads a page in turn. */
export class Replays {
  readonly #waiting: Replay[] = [];
  /** The number of pages that are being read. */
  #reading = 0;
  /** The number of pages that can still be begun in this turn. */
  #left = 0;
  #isScheduled = false;

  /** Adds a replay to the queue. MUST NOT be called again for the same replay before its turn. */
  add(replay: Replay): void {
    this.#waiting.push(replay);
    this.#schedule();
  }

  /** Adds a replay to the queue after a while, because the log cannot be reached. */
  retry(replay: Replay): void {
    setTimeout(() => this.add(replay), retryMs).unref();
  }

  #schedule(): void {
    if (this.#isScheduled || this.#waiting.length === 0 || this.#reading === readsMax) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#left = pagesPerTurn;
      this.#begin();
    });
  }

  /** Reads are independent, so a slow one does not delay the others. */
  #begin(): void {
    while (this.#left > 0 && this.#reading < readsMax) {
      const replay = this.#waiting.shift();
      if (!replay) return;
      this.#left--;
      this.#reading++;
      void replay.offerPage().then((goOn) => {
        this.#reading--;
        // A single replay gets all pages of the turn, because it may have to catch up with live traffic.
        if (goOn) this.#waiting.push(replay);
        this.#begin();
      });
    }
    this.#schedule();
  }
}

/**
 * The deliveries of a page. A plain subscription to a pattern gets no messages of topics with reserved names.
 */
export function encodePage(records: readonly LogRecord[], form: Form, interest: Interest): PeerEvent[] {
  const events: PeerEvent[] = [];
  for (const record of records) {
    if (form === 'envelope' || !isReservedTopic(record.topic))
      events.push(encodeDelivery(record, form, interest));
  }
  return events;
}
