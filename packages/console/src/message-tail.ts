import type { Envelope } from '@fanfare/protocol';

/** A line of a list of messages. */
export type Row = MessageRow | GapRow;

export interface MessageRow {
  readonly kind: 'message';
  /** Grows with each row that comes. */
  readonly key: number;
  readonly topic: string;
  /** The message as JSON. */
  readonly text: string;
  readonly time: number;
  readonly offset?: string;
  readonly id?: string;
  readonly publisher?: string;
}

/** Something is missing here. */
interface GapRow {
  readonly kind: 'gap';
  readonly key: number;
  readonly text: string;
}

export interface TailView {
  /** The newest that there are, the oldest first. */
  readonly rows: readonly Row[];
  /** How many came and went between two paintings, so that nobody has seen them. */
  readonly skipped: number;
  /** The same while nothing was to be painted. */
  readonly skippedInPause: number;
}

export const emptyView: TailView = { rows: [], skipped: 0, skippedInPause: 0 };

/**
 * The newest messages of a subscription: a bounded ring, written by what comes and read by whoever paints. However many
 * come, a painting costs the same.
 */
export class MessageTail {
  readonly #rowsMax: number;
  readonly #charactersMax: number;
  #rows: Row[] = [];
  /** Those before it are gone. */
  #first = 0;
  #characters = 0;
  #nextKey = 0;
  /** Keys before it were painted. */
  #painted = 0;
  #skipped = 0;
  #skippedInPause = 0;
  isPaused = false;

  constructor(rowsMax = 1_000, charactersMax = 8_388_608) {
    this.#rowsMax = rowsMax;
    this.#charactersMax = charactersMax;
  }

  /** How many rows have come since it was painted. */
  get waiting(): number {
    return this.#nextKey - this.#painted;
  }

  /** How many rows have ever come. */
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

  /** Lets go of all rows; what was skipped is counted anew. */
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
      // The newest is shown whatever its size.
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

/** A test of rows: whether a text is in the message, its topic or its publisher, in whatever case. */
export function rowFilter(wanted: string): (row: Row) => boolean {
  if (wanted === '') return () => true;
  const pattern = new RegExp(wanted.replaceAll(/[.*+?^${}()|[\]\\/]/g, String.raw`\$&`), 'iu');
  return (row) =>
    pattern.test(row.text) ||
    (row.kind === 'message' && (pattern.test(row.topic) || pattern.test(row.publisher ?? '')));
}
