import type { History } from './history.ts';
import { placeOf, type Place } from './place.ts';

/** Ranks of different epochs do not overlap. With a single epoch, the rank is the sequence. */
const ranksPerEpoch = 2 ** 40;

function epochOf(rank: number): number {
  return Math.floor(rank / ranksPerEpoch);
}

/** The epochs of a history in their order, and which places of theirs the log still has. */
export class Lineage {
  readonly #epochs: readonly string[];
  /** The sequence up to which each epoch is one log with the present one. */
  readonly #cuts: readonly number[];
  readonly #mayLose: boolean;

  constructor({ kept, earlier = [], mayLose = false }: Pick<History, 'kept' | 'earlier' | 'mayLose'>) {
    const present = kept.at(-1) && placeOf(kept.at(-1)?.offset ?? '').epoch;
    // Without earlier epochs, the first message decides: a later one of another epoch has moved.
    const only = kept[0] && placeOf(kept[0].offset).epoch;
    const last = earlier.length > 0 ? present : only;
    this.#epochs = [...earlier.map(({ epoch }) => epoch), ...(last === undefined ? [] : [last])];
    const cuts = earlier.map(({ cut }) => cut);
    this.#cuts = cuts.map((_, at) => Math.min(...cuts.slice(at)));
    this.#mayLose = mayLose;
  }

  /** Whether an epoch belongs to a log of which the history does not know. */
  isUnknown(epoch: string): boolean {
    return this.#epochs.length > 0 && !this.#epochs.includes(epoch);
  }

  /** The place of an offset, with a rank as its sequence: the order of all places of all epochs. */
  place(offset: string): Place {
    const { epoch, sequence } = placeOf(offset);
    let at = Math.max(0, this.#epochs.indexOf(epoch));
    // A position of an epoch can be before its beginning: there it is one of an earlier epoch.
    while (at > 0 && sequence < this.#cutOf(at - 1)) at--;
    return { epoch, sequence: at * ranksPerEpoch + sequence };
  }

  /** Whether the log lost a place when a later epoch began. */
  isLost(rank: number): boolean {
    const at = epochOf(rank);
    return at < this.#cuts.length && rank % ranksPerEpoch > this.#cutOf(at);
  }

  /** The epoch in which the log lost a place. Undefined if it still has the place. */
  lostWith(rank: number): number | undefined {
    return this.isLost(rank) ? epochOf(rank) : undefined;
  }

  /** Whether the history allows the log to have lost the message at an offset. */
  mayBeLost(offset: string): boolean {
    return this.#mayLose && this.isLost(this.place(offset).sequence);
  }

  get mayLose(): boolean {
    return this.#mayLose;
  }

  /** Whether an epoch can have a message of its own at an offset. */
  isWithin(offset: string): boolean {
    const { epoch, sequence } = placeOf(offset);
    const at = this.#epochs.indexOf(epoch);
    return at <= 0 || sequence > this.#cutOf(at - 1);
  }

  #cutOf(at: number): number {
    return this.#cuts[at] ?? Infinity;
  }
}
