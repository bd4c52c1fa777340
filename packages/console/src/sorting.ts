export interface Sort {
  /** Of the column. */
  readonly id: string;
  readonly isDescending: boolean;
}

type Comparable = string | number;

/** The rows in the order of what `by` makes of them; those of which it is the same stay as they were. */
export function sortRows<T>(
  rows: readonly T[],
  by: (row: T) => Comparable,
  isDescending: boolean,
): readonly T[] {
  const keyed = rows.map((row) => ({ row, key: by(row) }));
  const sign = isDescending ? -1 : 1;
  keyed.sort((one, other) => (one.key < other.key ? -sign : one.key > other.key ? sign : 0));
  return keyed.map(({ row }) => row);
}

/** What a click on a column's head makes of the order. */
export function nextSort(sort: Sort, id: string, firstDescending: boolean): Sort {
  return { id, isDescending: sort.id === id ? !sort.isDescending : firstDescending };
}
