/** Exponential backoff: the first and the longest wait before an attempt, in milliseconds. */
export interface Backoff {
  readonly first: number;
  readonly max: number;
}

/**
 * The wait before an attempt. It doubles with each attempt. Half of it is random, so that clients do not all
 * retry at once.
 */
export function backoffMs({ first, max }: Backoff, attempts: number): number {
  return Math.min(max, first * 2 ** attempts) * (0.5 + Math.random() / 2);
}
