import type { Envelope } from '@fanfare/protocol';

/** A row in a list of messages. */
export type Row = MessageRow | GapRow;

export interface MessageRow {
  readonly kind: 'message';
  /** A number that grows with each row. */
  readonly key: number;
  readonly topic: string;
  /** The message as JSON. */
  readonly text: string;
  readonly time: number;
  readonly offset?: string;
  readonly id?: string;
  readonly publisher?: string;
}

/** A row that marks missing messages. */
interface GapRow {
  readonly kind: 'gap';
  readonly key: number;
  readonly text: string;
}

export interface TailView {
  /** The newest rows, oldest first. */
  readonly rows: readonly Row[];
  /** The number of rows that were dropped between two frames, and so were never shown. */
  readonly skipped: number;
  /** The number of rows that were dropped during a pause. */
  readonly skippedInPause: number;
}

export const emptyView: TailView = { rows: [], skipped: 0, skippedInPause: 0 };

/**
 * The newest messages of a subscription, as a bounded ring. Its bound makes the cost of a frame independent
 * of the message rate.
 */
export class MessageTail {
  readonly #rowsMax: number;
  readonly #charactersMax: number;
  #rows: Row[] = [];
  /** Rows before it were dropped. */
  #first = 0;
  #characters = 0;
  #nextKey = 0;
  /** Rows with smaller keys were painted. */
  #painted = 0;
  #skipped = 0;
  #skippedInPause = 0;
  isPaused = false;

  constructor(rowsMax = 1_000, charactersMax = 8_388_608) {
    this.#rowsMax = rowsMax;
    this.#charactersMax = charactersMax;
  }

  /** The number of rows that have arrived since the last frame. */
  get waiting(): number {
    return this.#nextKey - this.#painted;
  }

  /** The number of all rows that have arrived. */
  get total(): number {
    return this.#nextKey;
  }

  push(message: Envelope): void {
    this.#add(rowOf(message, this.#nextKey));
  }

  pushGap(text: string): void {
    this.#add({ kind: 'gap', key: this.#nextKey, text });
  }

  paint(): TailView {
    this.#rows = this.#rows.slice(this.#first);
    this.#first = 0;
    this.#painted = this.#nextKey;
    return { rows: this.#rows.slice(), skipped: this.#skipped, skippedInPause: this.#skippedInPause };
  }

  /** Drops all rows, and resets the counts of skipped rows. */
  clear(): void {
    this.#rows = [];
    this.#first = 0;
    this.#characters = 0;
    this.#skipped = 0;
    this.#skippedInPause = 0;
  }

  #add(row: Row): void {
    this.#nextKey++;
    this.#rows.push(row);
    this.#characters += row.text.length;
    while (
      this.#rows.length - this.#first > this.#rowsMax ||
      // The newest row stays, whatever its size.
      (this.#characters > this.#charactersMax && this.#rows.length - this.#first > 1)
    ) {
      this.#dropOldest();
    }
    if (this.#first > this.#rowsMax) {
      this.#rows = this.#rows.slice(this.#first);
      this.#first = 0;
    }
  }

  #dropOldest(): void {
    const row = this.#rows[this.#first++];
    if (!row) return;
    this.#characters -= row.text.length;
    if (row.key < this.#painted) return;
    if (this.isPaused) this.#skippedInPause++;
    else this.#skipped++;
  }
}

export function rowOf({ topic, message, time, offset, id, publisher }: Envelope, key: number): MessageRow {
  return {
    kind: 'message',
    key,
    topic,
    text: JSON.stringify(message),
    time,
    ...(offset !== undefined && { offset }),
    ...(id !== undefined && { id }),
    ...(publisher !== undefined && { publisher }),
  };
}

/** A filter for rows: whether the message, its topic or its publisher contains a text. It ignores case. */
export function rowFilter(wanted: string): (row: Row) => boolean {
  if (wanted === '') return () => true;
  const pattern = new RegExp(wanted.replaceAll(/[.*+?^${}()|[\]\\/]/g, String.raw`\$&`), 'iu');
  return (row) =>
    pattern.test(row.text) ||
    (row.kind === 'message' && (pattern.test(row.topic) || pattern.test(row.publisher ?? '')));
}
