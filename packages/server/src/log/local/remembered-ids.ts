import { hash as hashOf } from 'node:crypto';
import { IdTable, type RememberedId } from './id-table.ts';
import type { NewRecord } from '../topic-log.ts';

const hashBytes = 16;

/**
 * The key of a record's id among the ids of all topics and subjects, as a hash of fixed size. Ids count per
 * subject. Otherwise anyone who may publish to a topic could use up, or find out, the ids of others.
 */
export function idKey({ topic, id, subject }: NewRecord): string {
  return hash(subject === undefined ? `${topic}\0${id}` : `${topic}\0${id}\0${subject}`);
}

export function digestOf({ messageJson }: NewRecord): string {
  return hash(messageJson);
}

/** Hashes are strings of one byte per character. */
function hash(text: string): string {
  return hashOf('sha256', text, 'buffer').toString('latin1', 0, hashBytes);
}

export interface RememberedIdsOptions {
  /** An id is remembered for at least this long, and for less than twice as long. */
  readonly idWindowMs: number;
  /** The limit of remembered ids. */
  readonly idsMax: number;
}

/**
 * The ids of the last minutes (the idempotency table), in two generations. Dropping a whole generation is
 * free, while forgetting ids one by one would delay commits.
 */
export class RememberedIds {
  readonly #options: RememberedIdsOptions;
  #newer = new IdTable();
  #older = new IdTable();
  #generationEnd = -Infinity;

  constructor(options: RememberedIdsOptions) {
    this.#options = options;
  }

  get(key: string): RememberedId | undefined {
    return this.#newer.get(key) ?? this.#older.get(key);
  }

  /** The number of ids that still fit. */
  get idsLeft(): number {
    return this.#options.idsMax - this.size;
  }

  get size(): number {
    return this.#newer.size + this.#older.size;
  }

  /** Remembers an id, as of the time that {@link forget} was last given. */
  set(key: string, remembered: RememberedId): void {
    this.#newer.set(key, remembered);
  }

  /**
   * Forgets ids that are older than the window.
   *
   * @param now - the running time of the log's clock. It is not a timestamp, because timestamps can jump.
   *   MUST NOT go back
   */
  forget(now: number): void {
    if (now < this.#generationEnd) return;
    const { idWindowMs } = this.#options;
    const isWindowOver = now >= this.#generationEnd + idWindowMs;
    this.#older = isWindowOver ? new IdTable() : this.#newer;
    this.#newer = new IdTable();
    this.#generationEnd = now + idWindowMs;
  }
}
