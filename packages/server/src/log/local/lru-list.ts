/** Where an item is in a {@link UseOrder}. */
export interface Place<T> {
  readonly item: T;
  older: Place<T> | undefined;
  newer: Place<T> | undefined;
}

/**
 * Items in the order of their last use, as a linked list. Adding, removing and finding the oldest item take the same
 * time with a million items. A `Map` keeps an order too, but finding its first key is slow after many deletions.
 */
export class UseOrder<T> implements Iterable<T> {
  #oldest: Place<T> | undefined;
  #newest: Place<T> | undefined;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Adds an item, which is not in it, as the newest. @returns what to remove it by */
  add(item: T): Place<T> {
    const place: Place<T> = { item, older: undefined, newer: undefined };
    this.#append(place);
    return place;
  }

  /** Makes an item that is in it the newest. */
  renew(place: Place<T>): void {
    if (place === this.#newest) return;
    this.remove(place);
    this.#append(place);
  }

  /** @param place - of an item that is in it */
  remove({ older, newer }: Place<T>): void {
    if (older) older.newer = newer;
    else this.#oldest = newer;
    if (newer) newer.older = older;
    else this.#newest = older;
    this.#size--;
  }

  #append(place: Place<T>): void {
    place.older = this.#newest;
    place.newer = undefined;
    if (this.#newest) this.#newest.newer = place;
    else this.#oldest = place;
    this.#newest = place;
    this.#size++;
  }

  /** From the oldest to the newest. The item that was given last may be removed meanwhile. */
  *[Symbol.iterator](): Generator<T, void, undefined> {
    for (let place = this.#oldest; place; place = place.newer) yield place.item;
  }
}
