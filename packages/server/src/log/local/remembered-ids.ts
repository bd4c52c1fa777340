import { hash as hashOf } from 'node:crypto';
import { IdTable, type RememberedId } from './id-table.ts';
import type { NewRecord } from '../topic-log.ts';

const hashBytes = 16;

/**
 * The name of a record's id among those of all topics and subjects: a hash, as long as the id may be. An id counts per subject: else
 * whoever may publish to a topic could use up, or find out, the ids of others there.
 */
export function idKey({ topic, id, subject }: NewRecord): string {
  return hash(subject === undefined ? `${topic}\0${id}` : `${topic}\0${id}\0${subject}`);
}

export function digestOf({ messageJson }: NewRecord): string {
  return hash(messageJson);
}

/** Hashes are kept as texts of a byte a character. */
function hash(text: string): string {
  return hashOf('sha256', text, 'buffer').toString('latin1', 0, hashBytes);
}

export interface RememberedIdsOptions {
  /** For how long an id is remembered at least; it is forgotten before twice that time is over. */
  readonly idWindowMs: number;
  /** How many ids are remembered at most. */
  readonly idsMax: number;
}

/**
 * The ids of the last minutes, in two generations: dropping a whole one costs nothing, where forgetting ids one by
 * one would hold up commits.
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

  /** How many more ids can be remembered. */
  get idsLeft(): number {
    return this.#options.idsMax - this.#newer.size - this.#older.size;
  }

  /** Remembers an id from the time on that {@link forget} was told last. */
  set(key: string, remembered: RememberedId): void {
    this.#newer.set(key, remembered);
  }

  /**
   * Forgets what is older than the window.
   *
   * @param now - for how long the log's clock has been running: no stamp, since those can jump. MUST NOT go back
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
