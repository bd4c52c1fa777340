/** A node of a {@link LruList}. */
export interface LruNode<T> {
  readonly item: T;
  older: LruNode<T> | undefined;
  newer: LruNode<T> | undefined;
}

/**
 * Items in the order of their last use, as a doubly linked list. Adding an item, removing one and finding the
 * oldest take constant time. A `Map` has an order too, but finding its first key is slow after many
 * deletions.
 */
export class LruList<T> implements Iterable<T> {
  #oldest: LruNode<T> | undefined;
  #newest: LruNode<T> | undefined;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Adds an item as the newest. It must not be in the list. @returns the node by which to remove it */
  add(item: T): LruNode<T> {
    const node: LruNode<T> = { item, older: undefined, newer: undefined };
    this.#append(node);
    return node;
  }

  /** Makes an item of the list the newest. */
  renew(node: LruNode<T>): void {
    if (node === this.#newest) return;
    this.remove(node);
    this.#append(node);
  }

  /** @param node - of an item in the list */
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

  /** From the oldest to the newest. The last yielded item may be removed meanwhile. */
  *[Symbol.iterator](): Generator<T, void, undefined> {
    for (let node = this.#oldest; node; node = node.newer) yield node.item;
  }
}
