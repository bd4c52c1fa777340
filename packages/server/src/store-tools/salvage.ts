import { LogDamagedError } from '../log/topic-log.ts';

/** Some of what a store has, in the order of the numbers that are its keys. */
export interface Source<T> {
  /** From a key on. */
  readonly read: (from: number) => Iterable<T>;
  readonly keyOf: (item: T) => number;
  /** The newest whose key is that or lower, where the store can tell. */
  readonly before?: (key: number) => T | undefined;
  /** The lowest key that there can be, and the highest. */
  readonly first: number;
  readonly last: number;
  /** How many are read at once. */
  readonly atOnce: number;
}

/** Keys under which something is that cannot be read. One of them, if it is known which. */
export interface DamagedKeys {
  readonly from: number;
  readonly through: number;
}

/** Blocks, for people. */
export function blocksOf({ from, through }: DamagedKeys): string {
  return from === through ? `block ${from}` : `the blocks from ${from} to ${through}`;
}

export function isAmong(ranges: readonly DamagedKeys[] | undefined, key: number): boolean {
  return ranges?.some(({ from, through }) => from <= key && key <= through) ?? false;
}

/**
 * Reads all that can be read, and goes on after what cannot. It holds nothing open between two items, so that whoever
 * takes them may wait.
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

/** @param from - nothing from here to the damage can be read */
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
  // What the file itself cannot give may be more than one; what has a wrong checksum is one.
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

/** The first key for which something is so that is so for all after it; the one after the last if for none. */
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
