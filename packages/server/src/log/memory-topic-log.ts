import { createHash } from 'node:crypto';
import type { AppendOutcome, LogRecord, NewRecord, TailListener, TopicLog } from './topic-log.ts';

interface Remembered {
  readonly sequence: number;
  readonly time: number;
  readonly digest: string;
}

interface Commit {
  readonly records: readonly NewRecord[];
  readonly settle: (outcomes: readonly AppendOutcome[]) => void;
}

export interface MemoryTopicLogOptions {
  /** The wall clock, in milliseconds since 1970. */
  readonly now: () => number;
  readonly epoch: string;
  /** For how long an id is remembered at least; it is forgotten before twice that time is over. */
  readonly idWindowMs: number;
  /** How many ids are remembered at most; over it, appends with a new id are `ids_exhausted`. */
  readonly idsMax: number;
}

/**
 * A log that gives messages their order and time, hands them to its tail, and keeps none: `stored` is
 * always `none`. All it remembers is the ids of the last minutes.
 *
 * The appends of one turn of the event loop are committed together, so that their answers go out together:
 * one by one, each answer would wake its receiver.
 */
export class MemoryTopicLog implements TopicLog {
  readonly epoch: string;
  readonly #options: MemoryTopicLogOptions;
  /** Ids in two generations: dropping a whole one costs nothing, where forgetting ids one by one would hold up commits. */
  #ids = new Map<string, Remembered>();
  #olderIds = new Map<string, Remembered>();
  #generationEnd = 0;
  #listener: TailListener = () => {};
  #pending: Commit[] = [];
  #head = 0;
  #time = 0;

  constructor(options: MemoryTopicLogOptions) {
    this.#options = options;
    this.epoch = options.epoch;
  }

  get head(): number {
    return this.#head;
  }

  tail(listener: TailListener): void {
    this.#listener = listener;
  }

  append(records: readonly NewRecord[]): Promise<readonly AppendOutcome[]> {
    return new Promise((settle) => {
      this.#pending.push({ records, settle });
      if (this.#pending.length === 1) setImmediate(() => this.#commit());
    });
  }

  #commit(): void {
    const commits = this.#pending;
    this.#pending = [];
    this.#time = Math.max(this.#time, this.#options.now());
    this.#forgetIds();
    const appended: LogRecord[] = [];
    for (const { records, settle } of commits) {
      settle(records.map((record) => this.#append(record, appended)));
    }
    if (appended.length > 0) this.#listener(appended);
  }

  #append(record: NewRecord, appended: LogRecord[]): AppendOutcome {
    const key = record.id === undefined ? undefined : `${record.topic}\0${record.id}`;
    const digest = key === undefined ? '' : createHash('sha256').update(record.messageJson).digest('base64');
    if (key !== undefined) {
      const first = this.#ids.get(key) ?? this.#olderIds.get(key);
      if (first) {
        if (first.digest !== digest) return { kind: 'id_conflict' };
        return { kind: 'duplicate', sequence: first.sequence, time: first.time, stored: 'none' };
      }
      if (this.#ids.size + this.#olderIds.size >= this.#options.idsMax) return { kind: 'ids_exhausted' };
    }
    const sequence = ++this.#head;
    const time = this.#time;
    if (key !== undefined) this.#ids.set(key, { sequence, time, digest });
    appended.push({ ...record, sequence, time });
    return { kind: 'appended', sequence, time, stored: 'none' };
  }

  #forgetIds(): void {
    const { idWindowMs } = this.#options;
    if (this.#time < this.#generationEnd) return;
    const isWindowOver = this.#time >= this.#generationEnd + idWindowMs;
    this.#olderIds = isWindowOver ? new Map<string, Remembered>() : this.#ids;
    this.#ids = new Map();
    this.#generationEnd = this.#time + idWindowMs;
  }
}
