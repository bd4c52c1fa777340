export interface Sort {
  /** The id of the column. */
  readonly id: string;
  readonly isDescending: boolean;
}

type Comparable = string | number;

/** Sorts rows by a key. Rows with equal keys keep their order. */
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

/** The order after a click on the header of a column. */
export function nextSort(sort: Sort, id: string, firstDescending: boolean): Sort {
  return { id, isDescending: sort.id === id ? !sort.isDescending : firstDescending };
}
