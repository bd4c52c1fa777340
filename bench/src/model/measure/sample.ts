import type { Processes } from '../../processes.ts';
import type { ConstantName } from '../constants.ts';

/** Values that were measured in one round. */
export type Sample = Readonly<Partial<Record<ConstantName, number>>>;

export interface Measurement {
  /** Its name on the command line. */
  readonly name: string;
  readonly run: (processes: Processes) => Promise<Sample>;
}

/**
 * The line through points, by least squares. A point counts less the larger it is, so that the error is about
 * the same share everywhere.
 */
export function fitLine(points: readonly (readonly [x: number, y: number])[]): {
  readonly base: number;
  readonly slope: number;
} {
  const weights = points.reduce((sum, [x]) => sum + 1 / x, 0);
  const meanX = points.length / weights;
  const meanY = points.reduce((sum, [x, y]) => sum + y / x, 0) / weights;
  let [upper, lower] = [0, 0];
  for (const [x, y] of points) {
    upper += ((x - meanX) * (y - meanY)) / x;
    lower += (x - meanX) ** 2 / x;
  }
  const slope = upper / lower;
  return { base: meanY - slope * meanX, slope };
}

/** Text of so many bytes, which starts with a number. */
export function textOf(number: number, bytes: number): string {
  return String(number).padEnd(bytes, 'abcdefghijklmnopqrstuvwxyz').slice(0, bytes);
}

/** `items` in parts of a size. */
export function* partsOf<T>(items: readonly T[], size: number): Generator<readonly T[], void, undefined> {
  for (let at = 0; at < items.length; at += size) yield items.slice(at, at + size);
}
