import type { RemoteState } from './library.ts';

/** How an earlier epoch is related to the present one. */
export interface Descent {
  /** The sequence up to which the two are one log. */
  readonly cut: number;
  /** The number of times that a new epoch began since. */
  readonly epochs: number;
}

/** Finds out how an epoch is related to the present one. Undefined if it is the epoch of another log. */
export function descentOf(epoch: string, { epoch: present, lineage }: RemoteState): Descent | undefined {
  if (epoch === present) return { cut: Infinity, epochs: 0 };
  const at = lineage.findIndex((earlier) => earlier.epoch === epoch);
  if (at < 0) return undefined;
  const since = lineage.slice(at);
  return { cut: Math.min(...since.map(({ sequence }) => sequence)), epochs: since.length };
}
