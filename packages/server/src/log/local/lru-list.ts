/** Where an item is in a {@link LruList}. */
export interface LruNode<T> {
  readonly item: T;
  older: LruNode<T> | undefined;
  newer: LruNode<T> | undefined;
}

/**
 * Items in the order of their last use, as a linked list. Adding, removing and finding the oldest item take the same
 * time with a million items. A `Map` keeps an order too, but finding its first key is slow after many deletions.
 */
export class LruList<T> implements Iterable<T> {
  #oldest: LruNode<T> | undefined;
  #newest: LruNode<T> | undefined;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Adds an item, which is not in it, as the newest. @returns what to remove it by */
  add(item: T): LruNode<T> {
    const node: LruNode<T> = { item, older: undefined, newer: undefined };
    this.#append(node);
    return node;
  }

  /** Makes an item that is in it the newest. */
  renew(node: LruNode<T>): void {
    if (node === this.#newest) return;
    this.remove(node);
    this.#append(node);
  }

  /** @param node - of an item that is in it */
  remove({ older, newer }: LruNode<T>): void {
    if (older) older.newer = newer;
    else this.#oldest = newer;
    if (newer) newer.older = older;
    else this.#newest = older;
    this.#size--;
  }

  #append(node: LruNode<T>): void {
    node.older = this.#newest;
    node.newer = undefined;
    if (this.#newest) this.#newest.newer = node;
    else this.#oldest = node;
    this.#newest = node;
    this.#size++;
  }

  /** From the oldest to the newest. The item that was given last may be removed meanwhile. */
  *[Symbol.iterator](): Generator<T, void, undefined> {
    for (let node = this.#oldest; node; node = node.newer) yield node.item;
  }
}
