import { fixedLimits } from '../../limits/fixed-limits.ts';
import { nextTimestamp, withClockStep, type ClockTrial } from './effective-time.ts';
import type { LogState } from '../store/store.ts';

/** An event of the clock that operators should know about. */
export type ClockEvent =
  /**
   * The clock is ahead of the expected time by `byMs`. Ages are not measured by it until its trial is over.
   */
  | { readonly kind: 'jumped'; readonly byMs: number }
  /** The trial is over, or the clock was set right. Ages are measured by it again. */
  | { readonly kind: 'trusted' }
  /**
   * The newest timestamp, `before`, is later than the clock: the clock was ahead before, or is behind now.
   */
  | { readonly kind: 'set_back'; readonly before: number; readonly after: number };

export interface LogClockOptions {
  /** The wall clock, in milliseconds since 1970. */
  readonly now: () => number;
  readonly onEvent: (event: ClockEvent) => void;
}

const { value: stepMs } = fixedLimits.clockStepMs;
const { value: trialMs } = fixedLimits.clockTrialMs;

/**
 * A wall clock that may be wrong. Messages that are dropped for their age are lost, so a clock that jumps
 * forward goes on trial. Until it has run for a while without another jump, ages are measured by
 * `trustedTime`, which runs on from the time before the jump.
 */
export class LogClock {
  readonly #options: LogClockOptions;
  #shown: number;
  #trusted: number;
  #running = 0;
  /** The time that the clock has run without a jump, in milliseconds. */
  #steady = 0;
  #isOnTrial = false;
  /** Undefined after a jump, until the head of the log at that time is known. */
  #trialSince: number | undefined = 0;

  /** @param trusted - the time at which the clock was last trusted; undefined in a new log */
  constructor(options: LogClockOptions, trusted: number | undefined) {
    this.#options = options;
    this.#trusted = trusted ?? readClock(options);
    this.#shown = this.#trusted;
  }

  /** The time at the last sample. */
  get shown(): number {
    return this.#shown;
  }

  /** The observed running time of the clock, in milliseconds. It never goes back and never jumps. */
  get running(): number {
    return this.#running;
  }

  get trial(): ClockTrial | undefined {
    if (!this.#isOnTrial || this.#trialSince === undefined) return undefined;
    return { since: this.#trialSince, aheadMs: this.#shown - this.#trusted };
  }

  /** Samples the clock. MUST be called every few seconds: a longer pause looks like a jump. */
  sample(): void {
    const shown = readClock(this.#options);
    const step = shown - this.#shown;
    const isJump = Math.abs(step) > stepMs;
    this.#shown = shown;
    this.#steady = isJump ? 0 : this.#steady + Math.max(0, step);
    if (isJump) {
      this.#trialSince = undefined;
    } else {
      this.#running += Math.max(0, step);
      this.#trusted += step;
    }
    // A clock that was set back is trusted at once: that cannot drop messages too early.
    const ahead = shown - this.#trusted;
    const isOnTrial = ahead > stepMs && this.#steady < trialMs;
    if (!isOnTrial) this.#trusted = shown;
    if (isOnTrial && isJump) this.#options.onEvent({ kind: 'jumped', byMs: ahead });
    if (this.#isOnTrial && !isOnTrial) this.#options.onEvent({ kind: 'trusted' });
    this.#isOnTrial = isOnTrial;
  }

  /** Returns the state of the log by the last sample of the clock. */
  stateNow(state: LogState): LogState {
    const { time: before, head, clockSteps } = state;
    const after = this.#shown;
    this.#trialSince ??= head + 1;
    const now = { ...state, trustedTime: this.#trusted };
    if (nextTimestamp(before, after) >= before) return now;
    this.#options.onEvent({ kind: 'set_back', before, after });
    const step = { sequence: head + 1, before, after };
    return { ...now, time: after, clockSteps: withClockStep(clockSteps, step) };
  }
}

/** Timestamps are never before 1970, whatever the clock shows. */
function readClock({ now }: LogClockOptions): number {
  return Math.max(0, now());
}
