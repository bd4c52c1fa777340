import { isPattern, type Interest } from '@fanfare/protocol';
import type { Deletion, DeletionMark, Deletions } from '../store/store.ts';
import type { MayRead } from '../topic-log.ts';

export interface DeletionLimits {
  /** Minimum number of deletions that are remembered one by one. */
  readonly newestMax: number;
  /**
   * The number of further deletions that are allowed. So older ones are merged and written only once for this
   * number of deletions.
   */
  readonly slack: number;
  readonly segmentsMax: number;
}

const deletionLimits: DeletionLimits = { newestMax: 1_000, slack: 250, segmentsMax: 1_000 };

export const noDeletions: Deletions = { newest: [], bySegment: new Map(), inCommon: { sequence: 0 } };

/** Returns the remembered deletions after more topics were deleted. */
export function withDeletions(
  known: Deletions,
  more: readonly Deletion[],
  { newestMax, slack, segmentsMax }: DeletionLimits = deletionLimits,
): Deletions {
  if (more.length === 0) return known;
  const newest = [...known.newest, ...more];
  if (newest.length <= newestMax + slack) return { ...known, newest };
  const bySegment = new Map(known.bySegment);
  for (const deletion of newest.splice(0, newest.length - newestMax)) {
    const segment = firstSegmentOf(deletion.topic);
    const mark = highest(deletion, bySegment.get(segment));
    // Moves the segment to the end, so that the first segments are the ones with the oldest deletions.
    bySegment.delete(segment);
    bySegment.set(segment, mark);
  }
  let { inCommon } = known;
  for (const [segment, mark] of bySegment) {
    if (bySegment.size <= segmentsMax) break;
    bySegment.delete(segment);
    inCommon = highest(mark, inCommon);
  }
  return { newest, bySegment, inCommon };
}

/**
 * Whether a topic of an interest was deleted, with a mark that meets a condition. It is never false if one
 * was. It can be true if none was: for a topic with the same first segment, or after too many deletions.
 *
 * @param isWanted - whether a topic belongs to the interest
 */
export function wasDeleted(
  { newest, bySegment, inCommon }: Deletions,
  interest: Interest,
  isWanted: MayRead,
  isSo: (mark: DeletionMark) => boolean,
): boolean {
  if (isSo(inCommon)) return true;
  const segment = firstSegmentOf(interest);
  const older = isPattern(segment as Interest) ? [...bySegment.values()] : [bySegment.get(segment)];
  if (older.some((mark) => mark !== undefined && isSo(mark))) return true;
  return newest.some((deletion) => isSo(deletion) && isWanted(deletion.topic));
}

/**
 * Whether messages after a sequence were deleted with their topic. Also true if the log does not remember
 * that far back.
 */
export function wasDeletedAfter(
  deletions: Deletions,
  interest: Interest,
  isWanted: MayRead,
  sequence: number,
): boolean {
  return wasDeleted(deletions, interest, isWanted, (mark) => mark.sequence > sequence);
}

function firstSegmentOf(name: string): string {
  const end = name.indexOf('/');
  return end < 0 ? name : name.slice(0, end);
}

/** The higher values of two marks. */
function highest(one: DeletionMark, other: DeletionMark | undefined): DeletionMark {
  const sequence = Math.max(one.sequence, other?.sequence ?? 0);
  return one.at === undefined ? { sequence } : { sequence, at: Math.max(one.at, other?.at ?? 0) };
}
