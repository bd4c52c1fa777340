/** As many as are cheap to move when one is put in or taken out. */
const pageSize = 512;

interface Page<K, T> {
  readonly keys: K[];
  readonly values: T[];
}

/**
 * Values in the order of their keys: numbers, or texts by their UTF-16 code units. Setting, finding and deleting are
 * cheap anywhere, at the ends as in the middle: the values are in pages, and only a page's values are moved.
 */
export class SortedList<T, K extends number | string = number> {
  readonly #pages: Page<K, T>[] = [];

  get isEmpty(): boolean {
    return this.#pages.length === 0;
  }

  get(key: K): T | undefined {
    const { page, index } = this.#place(key);
    return page?.keys[index] === key ? page.values[index] : undefined;
  }

  /** The value whose key is the highest that is not above `key`. */
  atOrBefore(key: K): T | undefined {
    const { page, index } = this.#place(key);
    return page?.values[page.keys[index] === key ? index : index - 1];
  }

  /** The values from the first whose key is not below `key`. The list must not be changed meanwhile. */
  *from(key: K): Generator<T, void, undefined> {
    const { at, index } = this.#place(key);
    for (let pageAt = at, valueAt = index; pageAt < this.#pages.length; pageAt++, valueAt = 0) {
      const values = this.#pages[pageAt]?.values ?? [];
      for (let i = valueAt; i < values.length; i++) yield values[i] as T;
    }
  }

  /** Puts a value in, in the place of the one that has the key already. */
  set(key: K, value: T): void {
    const { at, page, index } = this.#place(key);
    if (page === undefined) {
      this.#pages.push({ keys: [key], values: [value] });
    } else if (page.keys[index] === key) {
      page.values[index] = value;
    } else if (index < pageSize) {
      page.keys.splice(index, 0, key);
      page.values.splice(index, 0, value);
      if (page.keys.length > pageSize) this.#split(page, at);
    } else {
      this.#pages.splice(at + 1, 0, { keys: [key], values: [value] });
    }
  }

  delete(key: K): void {
    const { at, page, index } = this.#place(key);
    if (page?.keys[index] !== key) return;
    if (page.keys.length === 1) {
      this.#pages.splice(at, 1);
    } else {
      page.keys.splice(index, 1);
      page.values.splice(index, 1);
    }
  }

  /** The page that a key is or would be in, and its place there: that of the first key that is not below it. */
  #place(key: K): { at: number; page: Page<K, T> | undefined; index: number } {
    const after = firstWhere(this.#pages.length, (i) => (this.#pages[i]?.keys[0] as K) > key);
    const at = Math.max(0, after - 1);
    const page = this.#pages[at];
    const keys = page?.keys ?? [];
    return { at, page, index: firstWhere(keys.length, (i) => (keys[i] as K) >= key) };
  }

  #split(page: Page<K, T>, at: number): void {
    const half = pageSize / 2;
    this.#pages.splice(at + 1, 0, { keys: page.keys.splice(half), values: page.values.splice(half) });
  }
}

/** The first of 0 … count - 1 for which the condition holds, as it does for all after it; else `count`. */
function firstWhere(count: number, isMet: (index: number) => boolean): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (isMet(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}
