import type { LogRecord } from '../topic-log.ts';

/** The recent stored records of one topic, from the oldest. */
export class TopicRun {
  readonly #records: LogRecord[] = [];
  /** The bytes of all records of the topic up to each record, since the run began. */
  readonly #bytes: number[] = [];
  #first = 0;
  #dropped = 0;

  get isEmpty(): boolean {
    return this.#first === this.#records.length;
  }

  /** @param bytes - of the message as JSON text */
  add(record: LogRecord, bytes: number): void {
    this.#bytes.push((this.#bytes.at(-1) ?? this.#dropped) + bytes);
    this.#records.push(record);
  }

  dropOldest(): void {
    this.#dropped = this.#bytes[this.#first] ?? this.#dropped;
    this.#first++;
    if (this.#first < 1_024 || this.#first * 2 < this.#records.length) return;
    this.#records.splice(0, this.#first);
    this.#bytes.splice(0, this.#first);
    this.#first = 0;
  }

  /** The index of the first record after a sequence. */
  after(sequence: number): number {
    let low = this.#first;
    let high = this.#records.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#records[middle] as LogRecord).sequence > sequence) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  at(index: number): LogRecord | undefined {
    return index < this.#first ? undefined : this.#records[index];
  }

  bytesAt(index: number): number {
    return (this.#bytes[index] ?? 0) - this.#bytesBefore(index);
  }

  /** The number of records from an index on. */
  countFrom(index: number): number {
    return this.#records.length - index;
  }

  /** The bytes of the records from an index on. */
  bytesFrom(index: number): number {
    return (this.#bytes.at(-1) ?? this.#dropped) - this.#bytesBefore(index);
  }

  #bytesBefore(index: number): number {
    return index > this.#first ? (this.#bytes[index - 1] ?? 0) : this.#dropped;
  }
}
