import { fixedLimits } from '../../limits/fixed-limits.ts';
import type { ClockStep, LogState } from '../store/store.ts';

/** The history of the clock that made the timestamps. */
export interface ClockHistory extends Pick<LogState, 'trustedTime' | 'clockSteps'> {
  /** Only while the clock is on trial. */
  readonly trial?: ClockTrial | undefined;
}

/** A clock that has jumped forward, and may be wrong. */
export interface ClockTrial {
  /** The sequence of the first record with a timestamp from after the newest jump. */
  readonly since: number;
  /** How far the clock is ahead of `trustedTime`. */
  readonly aheadMs: number;
}

/** Something with a timestamp, and its position in the log. */
export interface Timestamped {
  readonly block: number;
  readonly time: number;
}

const { value: stepMs } = fixedLimits.clockStepMs;

/** Maximum number of remembered clock steps. */
export const clockStepsMax = 100;

/**
 * The timestamp of the next commit: the time of the clock, but never a small step back.
 *
 * @param last - the newest timestamp
 */
export function nextTimestamp(last: number, shown: number): number {
  return last > shown && last - shown <= stepMs ? last : shown;
}

/**
 * Adds a clock step. It is merged with the last step if nothing was appended in between. Above the limit the
 * two oldest steps are merged: the timestamps before them are then in no order.
 */
export function withClockStep(steps: readonly ClockStep[], step: ClockStep): readonly ClockStep[] {
  const last = steps.at(-1);
  if (last?.sequence === step.sequence) return [...steps.slice(0, -1), asOne(last, step)];
  const [first, second, ...others] = steps;
  if (steps.length < clockStepsMax || !first || !second) return [...steps, step];
  return [asOne(first, second), ...others, step];
}

function asOne(one: ClockStep, next: ClockStep): ClockStep {
  return { ...next, before: Math.max(one.before, next.before) };
}

/**
 * The time that counts for the age of something. The order of the log is right, even if the clock was wrong:
 * - A timestamp in the future, by more than a small step, counts as the time at which the clock was set right
 *   after it, or as the present. During a trial of the clock, later records are as old as that clock says.
 * - Any other timestamp counts as no earlier than what comes before it in the log, unless that is in the
 *   future.
 */
export function effectiveTime(
  { block, time }: Timestamped,
  { trustedTime, clockSteps, trial }: ClockHistory,
): number {
  const present = trustedTime + stepMs;
  if (time > present) {
    const setRight = clockSteps.find(({ sequence, after }) => sequence > block && after <= present);
    if (setRight) return setRight.after;
    return trial && block >= trial.since ? Math.min(trustedTime, time - trial.aheadMs) : trustedTime;
  }
  let counted = time;
  for (const { sequence, before } of clockSteps) {
    if (sequence > block) break;
    if (before <= present) counted = Math.max(counted, before);
  }
  return counted;
}

export function ageOf(stamped: Timestamped, clock: ClockHistory): number {
  return clock.trustedTime - effectiveTime(stamped, clock);
}

/**
 * Finds the first item whose effective time is a given time or later. For a time in the future, the
 * timestamps themselves count.
 *
 * @param state - of the log
 * @param firstSince - finds the first item with a timestamp of so much or more, between two sequences where
 * timestamps do not go back
 */
export function firstEffectiveSince<T extends Timestamped>(
  ms: number,
  { trustedTime, clockSteps, head, time }: LogState,
  firstSince: (ms: number, from: number, end: number) => T | undefined,
): T | undefined {
  const present = trustedTime + stepMs;
  const end = { sequence: head + 1, before: time, after: Infinity };
  let from = 0;
  let earliest = -Infinity;
  for (const [at, step] of [...clockSteps, end].entries()) {
    const isInOrder = at > 0 || clockSteps.length < clockStepsMax;
    const isWanted = step.before >= ms || earliest >= ms;
    const since = earliest >= ms || !isInOrder ? -Infinity : ms;
    const first = isWanted ? firstSince(since, from, step.sequence) : undefined;
    if (first && (ms > present || effectiveTime(first, { trustedTime, clockSteps }) >= ms || !isInOrder))
      return first;
    if (step.before <= present) earliest = Math.max(earliest, step.before);
    from = step.sequence;
  }
  return undefined;
}
