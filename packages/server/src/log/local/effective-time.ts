import { fixedLimits } from '../../limits/fixed-limits.ts';
import type { ClockStep, LogState } from '../store/store.ts';

/** What is known of the clock by which messages were stamped. */
export interface ClockHistory extends Pick<LogState, 'trustedTime' | 'clockSteps'> {
  /** There while the clock is on trial. */
  readonly trial?: ClockTrial | undefined;
}

/** That a clock has jumped forward, and may be wrong. */
export interface ClockTrial {
  /** The place of the first record that is stamped after its newest jump. */
  readonly since: number;
  /** By how much it is ahead of `trustedTime`. */
  readonly aheadMs: number;
}

/** Something that was stamped: from its place in the log on. */
export interface Timestamped {
  readonly block: number;
  readonly time: number;
}

const { value: stepMs } = fixedLimits.clockStepMs;

/** How many steps are remembered. */
export const clockStepsMax = 100;

/** The stamp of what comes next: what the clock shows, but no small step back. @param last - the newest stamp */
export function nextTimestamp(last: number, shown: number): number {
  return last > shown && last - shown <= stepMs ? last : shown;
}

/**
 * The steps, and one more, which is one with the last where nothing was stamped in between. When there are too many, the
 * oldest two become one: the stamps before it are in no order then.
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
 * When something counts as stamped, to tell its age. The order of the log is right, even where the clock was wrong:
 * - What is stamped in the future, by more than a small step, counts as stamped when the clock was set right after it, or now.
 *   What came since a clock is on trial is as old as that clock says.
 * - Anything else counts as stamped no earlier than what comes before it in the log, unless that is from the future.
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
 * Finds the first of those that count as stamped at a time or later. A time that is in the future is taken by the
 * stamps as they are.
 *
 * @param state - the log's
 * @param firstSince - finds, of what is from one place on and before another, where stamps do not go back, the first that
 * has a stamp of so much or more
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
