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

/** A reader of the log at its own pace. */
export interface Replay {
  /** Reads one page and offers it to the peer. MUST NOT reject. @returns whether to continue at once */
  offerPage(): Promise<boolean>;
}

/** Schedules the subscriptions that are catching up. Each reads a page in turn. */
export class Replays {
  readonly #waiting: Replay[] = [];
  #isRunning = false;

  /** Adds a replay to the queue. MUST NOT be called again for the same replay before its turn. */
  add(replay: Replay): void {
    this.#waiting.push(replay);
    if (this.#isRunning) return;
    this.#isRunning = true;
    setImmediate(() => void this.#run());
  }

  async #run(): Promise<void> {
    // A single replay gets all pages of the turn, because it may have to catch up with live traffic.
    for (let pages = 0; pages < pagesPerTurn && this.#waiting.length > 0;) {
      const now = this.#waiting.splice(0, pagesPerTurn - pages);
      pages += now.length;
      const goOn = await Promise.all(now.map((replay) => replay.offerPage()));
      this.#waiting.push(...now.filter((_, at) => goOn[at]));
    }
    this.#isRunning = this.#waiting.length > 0;
    if (this.#isRunning) setImmediate(() => void this.#run());
  }
}

/**
 * The deliveries of a page. A plain subscription to a pattern gets no messages of topics with reserved names.
 */
export function encodePage(
  records: readonly LogRecord[],
  form: Form,
  epoch: string,
  interest: Interest,
): PeerEvent[] {
  const events: PeerEvent[] = [];
  for (const record of records) {
    if (form === 'envelope' || !isReservedTopic(record.topic))
      events.push(encodeDelivery(record, form, epoch, interest));
  }
  return events;
}
