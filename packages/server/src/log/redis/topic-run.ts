import type { Topic } from '@fanfare/protocol';

/** Which of the recent stored records are of one topic, from the oldest. */
export class TopicRun {
  readonly topic: Topic;
  readonly #sequences: number[] = [];
  /** The bytes of all records of the topic up to each record, since the run began. */
  readonly #bytes: number[] = [];
  #first = 0;
  #dropped = 0;

  constructor(topic: Topic) {
    this.topic = topic;
  }

  get isEmpty(): boolean {
    return this.#first === this.#sequences.length;
  }

  /** @param bytes - of the message as JSON text */
  add(sequence: number, bytes: number): void {
    this.#bytes.push((this.#bytes.at(-1) ?? this.#dropped) + bytes);
    this.#sequences.push(sequence);
  }

  /** @returns the bytes of its message */
  dropOldest(): number {
    const bytes = this.bytesAt(this.#first);
    this.#dropped = this.#bytes[this.#first] ?? this.#dropped;
    this.#first++;
    if (this.#first >= 1_024 && this.#first * 2 >= this.#sequences.length) {
      this.#sequences.splice(0, this.#first);
      this.#bytes.splice(0, this.#first);
      this.#first = 0;
    }
    return bytes;
  }

  /** The index of the first record after a sequence. */
  after(sequence: number): number {
    let low = this.#first;
    let high = this.#sequences.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#sequences[middle] as number) > sequence) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** The sequence of the record at an index. */
  at(index: number): number | undefined {
    return index < this.#first ? undefined : this.#sequences[index];
  }

  bytesAt(index: number): number {
    return (this.#bytes[index] ?? 0) - this.#bytesBefore(index);
  }

  /** The number of records from an index on. */
  countFrom(index: number): number {
    return this.#sequences.length - index;
  }

  /** The bytes of the records from an index on. */
  bytesFrom(index: number): number {
    return (this.#bytes.at(-1) ?? this.#dropped) - this.#bytesBefore(index);
  }

  #bytesBefore(index: number): number {
    return index > this.#first ? (this.#bytes[index - 1] ?? 0) : this.#dropped;
  }
}
