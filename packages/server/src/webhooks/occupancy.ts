import { isPattern, type Interest, type Topic } from '@fanfare/protocol';

/** Finds out when topics get their first subscription, and lose their last one. */
export class Occupancy {
  readonly #isWatched: (topic: Topic) => boolean;
  readonly #onChange: (topic: Topic, isOccupied: boolean) => void;
  /** The number of subscriptions of each watched topic that has any. */
  readonly #counts = new Map<Topic, number>();
  /** The topics of which the last change was that they got a subscription. */
  readonly #occupied = new Set<Topic>();
  readonly #changed = new Set<Topic>();

  constructor(isWatched: (topic: Topic) => boolean, onChange: (topic: Topic, isOccupied: boolean) => void) {
    this.#isWatched = isWatched;
    this.#onChange = onChange;
  }

  /** @param change - 1 for a subscription that begins, -1 for one that ends */
  note(interest: Interest, change: 1 | -1): void {
    if (isPattern(interest) || !this.#isWatched(interest)) return;
    const count = (this.#counts.get(interest) ?? 0) + change;
    if (count > 0) this.#counts.set(interest, count);
    else this.#counts.delete(interest);
    if (count > 0 === this.#occupied.has(interest)) return;
    // A client that subscribes again ends its old subscription in the same turn.
    if (this.#changed.size === 0) setImmediate(() => this.flush());
    this.#changed.add(interest);
  }

  /** Reports the changes of this turn. */
  flush(): void {
    for (const topic of this.#changed) {
      const isOccupied = this.#counts.has(topic);
      if (isOccupied === this.#occupied.has(topic)) continue;
      if (isOccupied) this.#occupied.add(topic);
      else this.#occupied.delete(topic);
      this.#onChange(topic, isOccupied);
    }
    this.#changed.clear();
  }
}
