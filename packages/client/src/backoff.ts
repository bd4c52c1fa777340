/** How long to wait before an attempt, and how long that grows to, in milliseconds. */
export interface Backoff {
  readonly first: number;
  readonly max: number;
}

/** Twice as long after each attempt. Half of it is chance, so that many clients do not come at the same time. */
export function backoffMs({ first, max }: Backoff, attempts: number): number {
  return Math.min(max, first * 2 ** attempts) * (0.5 + Math.random() / 2);
}
