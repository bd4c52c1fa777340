import { isPattern, type Interest } from '@fanfare/protocol';
import type { Deletion, DeletionMark, Deletions } from '../store/store.ts';
import type { MayRead } from '../topic-log.ts';

export interface DeletionLimits {
  /** How many deletions are remembered one by one, at least. */
  readonly newestMax: number;
  /** How many more at the most, so that older ones are put together, and written, only once in so many. */
  readonly slack: number;
  readonly segmentsMax: number;
}

const deletionLimits: DeletionLimits = { newestMax: 1_000, slack: 250, segmentsMax: 1_000 };

export const noDeletions: Deletions = { newest: [], bySegment: new Map(), inCommon: { sequence: 0 } };

/** What is remembered once some more topics were deleted. */
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
    // It is the last from now on: the first ones are those that were deleted from least recently.
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
 * Whether a topic that somebody is interested in was deleted, with a mark of which something is so. It is never false when
 * one was. It can be true when none was: for a topic with the same first segment, or when too many were deleted since.
 *
 * @param isWanted - whether a topic is one of the interest's
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

/** Whether messages after a place in the log were deleted with their topic. Also true when that is not remembered. */
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

/** A mark of both, whichever is higher. */
function highest(one: DeletionMark, other: DeletionMark | undefined): DeletionMark {
  const sequence = Math.max(one.sequence, other?.sequence ?? 0);
  return one.at === undefined ? { sequence } : { sequence, at: Math.max(one.at, other?.at ?? 0) };
}
