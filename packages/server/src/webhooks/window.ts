import type { LogRecord, PageLimit } from '../log/topic-log.ts';
import { addMissing, type Missing } from './payload.ts';

/** The limits of what one webhook has read and not delivered. One message can exceed the bytes. */
const messagesMax = 256;
const bytesMax = 262_144;

/** A message that was read. */
export interface WindowEntry {
  readonly record: LogRecord;
  /** Messages are missing before this one. */
  readonly gap: Missing | undefined;
  isDone: boolean;
}

/**
 * The messages that a webhook has read, from the oldest that is not delivered. Messages of different topics
 * are delivered in any order, so some later ones may be delivered.
 */
export class Window {
  readonly #entries: WindowEntry[] = [];
  #bytes = 0;
  readonly #onMoved: () => void;

  /** @param onMoved - called when the oldest message was delivered */
  constructor(onMoved: () => void) {
    this.#onMoved = onMoved;
  }

  /** The number of messages that are not delivered. */
  get size(): number {
    return this.#entries.reduce((count, { isDone }) => count + (isDone ? 0 : 1), 0);
  }

  get oldest(): LogRecord | undefined {
    return this.#entries[0]?.record;
  }

  /** Everything that is missing before messages that are not delivered. */
  get gap(): Missing | undefined {
    let all: Missing | undefined;
    for (const { gap } of this.#entries) if (gap) all = addMissing(all, gap);
    return all;
  }

  /** Whether a page is worth a read. */
  get hasSpace(): boolean {
    return this.#entries.length <= messagesMax / 2 && this.#bytes <= bytesMax / 2;
  }

  get pageLimit(): PageLimit {
    return { recordsMax: messagesMax - this.#entries.length, bytesMax: bytesMax - this.#bytes };
  }

  add(record: LogRecord, gap: Missing | undefined): WindowEntry {
    const entry = { record, gap, isDone: false };
    this.#entries.push(entry);
    this.#bytes += record.messageJson.length;
    return entry;
  }

  done(entry: WindowEntry): void {
    entry.isDone = true;
    const { length } = this.#entries;
    for (let first = this.#entries[0]; first?.isDone; first = this.#entries[0]) {
      this.#bytes -= first.record.messageJson.length;
      this.#entries.shift();
    }
    if (this.#entries.length < length) this.#onMoved();
  }
}
