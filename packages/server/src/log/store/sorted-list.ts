/** Few enough that moving them for an insertion or a deletion is cheap. */
const pageSize = 512;

interface Page<K, T> {
  readonly keys: K[];
  readonly values: T[];
}

/**
 * A sorted map. The keys are numbers, or strings by their UTF-16 code units. Setting, finding and deleting
 * are cheap anywhere: the values are in pages, and only the values of one page are moved.
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

  /** The value with the highest key that is at most `key`. */
  atOrBefore(key: K): T | undefined {
    const { page, index } = this.#place(key);
    return page?.values[page.keys[index] === key ? index : index - 1];
  }

  /** The values from the first key that is at least `key`. The list must not change during the iteration. */
  *from(key: K): Generator<T, void, undefined> {
    const { at, index } = this.#place(key);
    for (let pageAt = at, valueAt = index; pageAt < this.#pages.length; pageAt++, valueAt = 0) {
      const values = this.#pages[pageAt]?.values ?? [];
      for (let i = valueAt; i < values.length; i++) yield values[i] as T;
    }
  }

  /** Inserts a value, or replaces the value of the key. */
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

  /** The page of a key, and the index of the first key in it that is at least `key`. */
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

/**
 * The first of 0 … count - 1 that meets a condition, by binary search; `count` if none does. All numbers
 * after it must meet the condition too.
 */
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
