import { ContentError } from '../load/checker.ts';

/** What happened while a primary was replaced. Times are of one clock, in milliseconds. */
export interface Failover {
  readonly killedMs: number;
  /** The replica has become a primary. */
  readonly promotedMs: number;
  /** The first sentinel has announced the new primary. */
  readonly announcedMs: number;
  /** When each publish was acknowledged. */
  readonly acknowledgedMs: readonly number[];
}

export interface PauseFigures {
  readonly fromPromotionMs: number;
  readonly fromAnnouncementMs: number;
  readonly pauseMs: number;
  readonly untilPromotionMs: number;
}

/**
 * The time without acknowledgements around a failover.
 *
 * @throws ContentError if publishes were not acknowledged before and after
 */
export function pauseOf(failover: Failover): PauseFigures {
  const { killedMs, promotedMs, announcedMs } = failover;
  const acknowledged = failover.acknowledgedMs.toSorted((a, b) => a - b);
  const first = acknowledged.find((ms) => ms >= promotedMs);
  const last = acknowledged.findLast((ms) => ms < promotedMs);
  if (first === undefined) throw new ContentError('No publish was acknowledged after the promotion.');
  if (last === undefined) throw new ContentError('No publish was acknowledged before the promotion.');
  return {
    fromPromotionMs: first - promotedMs,
    fromAnnouncementMs: first - announcedMs,
    pauseMs: first - last,
    untilPromotionMs: promotedMs - killedMs,
  };
}

/**
 * Compares what the log keeps with what was published: each publish was repeated, with its id, until it was
 * acknowledged.
 *
 * @returns how many are missing. A failover can lose messages that the replica did not have
 * @throws ContentError if there are more messages than publishes
 */
export function lostIn({ published, kept }: { readonly published: number; readonly kept: number }): number {
  if (kept > published)
    throw new ContentError(`The log keeps ${kept} messages, and ${published} were published.`);
  return published - kept;
}
