import { LogDamagedError } from '../log/topic-log.ts';

/** A list in a store, in the order of its numeric keys. */
export interface Source<T> {
  /** Reads from a key on. */
  readonly read: (from: number) => Iterable<T>;
  readonly keyOf: (item: T) => number;
  /** The item with the highest key up to `key`, if the store can find it. */
  readonly before?: (key: number) => T | undefined;
  /** The range of possible keys. */
  readonly first: number;
  readonly last: number;
  /** How many items are read at once. */
  readonly atOnce: number;
}

/** A range of keys with damaged items. It has one key if it is known which. */
export interface DamagedKeys {
  readonly from: number;
  readonly through: number;
}

/** Describes blocks to people. */
export function blocksOf({ from, through }: DamagedKeys): string {
  return from === through ? `block ${from}` : `the blocks from ${from} to ${through}`;
}

export function isAmong(ranges: readonly DamagedKeys[] | undefined, key: number): boolean {
  return ranges?.some(({ from, through }) => from <= key && key <= through) ?? false;
}

/**
 * Reads everything that is readable, and skips what is damaged. It holds nothing open between two items, so
 * the caller may wait.
 */
export function* salvage<T>(
  source: Source<T>,
  onDamage: (keys: DamagedKeys) => void,
): Generator<T, void, undefined> {
  for (let from = source.first; from <= source.last;) {
    const { items, error } = take(source, from);
    yield* items;
    const last = items.at(-1);
    if (last !== undefined) from = source.keyOf(last) + 1;
    if (error) {
      const keys = findDamage(source, from, error);
      onDamage(keys);
      from = keys.through + 1;
    } else if (items.length < source.atOnce) {
      return;
    }
  }
}

function take<T>(
  source: Source<T>,
  from: number,
): { readonly items: readonly T[]; readonly error?: LogDamagedError } {
  const items: T[] = [];
  try {
    for (const item of source.read(from)) {
      items.push(item);
      if (items.length >= source.atOnce) break;
    }
    return { items };
  } catch (error) {
    if (error instanceof LogDamagedError) return { items, error };
    throw error;
  }
}

/** @param from - everything from here to the damage is unreadable */
function findDamage<T>(source: Source<T>, from: number, error: LogDamagedError): DamagedKeys {
  const isReadable = (key: number): boolean => canRead(() => first(source.read(key)));
  const { before } = source;
  if (!before) return { from, through: firstFrom(from + 1, source.last, isReadable) - 1 };
  const isReached = (key: number): boolean => {
    let found: T | undefined;
    const isSound = canRead(() => (found = before(key)));
    return !isSound || (found !== undefined && source.keyOf(found) >= from);
  };
  const at = firstFrom(from, source.last, isReached);
  // Damage in the file may cover several items. A wrong checksum is that of one item.
  const next = error.cause === undefined ? at + 1 : firstFrom(at + 1, source.last, isReadable);
  return { from: Math.min(at, source.last), through: next - 1 };
}

function first<T>(items: Iterable<T>): T | undefined {
  for (const item of items) return item;
  return undefined;
}

function canRead(read: () => unknown): boolean {
  try {
    read();
    return true;
  } catch (error) {
    if (error instanceof LogDamagedError) return false;
    throw error;
  }
}

/**
 * The first key that meets a condition, by exponential and binary search; `last + 1` if none does. All keys
 * after it must meet the condition too.
 */
function firstFrom(from: number, last: number, isSo: (key: number) => boolean): number {
  let low = from - 1;
  let high = from;
  for (let step = 1; high <= last && !isSo(high); step *= 2) {
    low = high;
    high = Math.min(last + 1, high + step);
  }
  while (high - low > 1) {
    const middle = low + Math.floor((high - low) / 2);
    if (isSo(middle)) high = middle;
    else low = middle;
  }
  return high;
}
