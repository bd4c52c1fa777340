import { fixedLimits } from '../../limits/fixed-limits.ts';
import { nextTimestamp, withClockStep, type ClockTrial } from './effective-time.ts';
import type { LogState } from '../store/store.ts';

/** Something that an operator should know of the clock. */
export type ClockEvent =
  /** It shows a time that is later than expected by `byMs`. Ages are not measured by it until its trial is over. */
  | { readonly kind: 'jumped'; readonly byMs: number }
  /** Its trial is over, or it was set right: ages are measured by it again. */
  | { readonly kind: 'trusted' }
  /** The newest stamp, `before`, is later than what it shows: it was ahead before, or is behind now. */
  | { readonly kind: 'set_back'; readonly before: number; readonly after: number };

export interface LogClockOptions {
  /** The wall clock, in milliseconds since 1970. */
  readonly now: () => number;
  readonly onEvent: (event: ClockEvent) => void;
}

const { value: stepMs } = fixedLimits.clockStepMs;
const { value: trialMs } = fixedLimits.clockTrialMs;

/**
 * A wall clock that may be wrong. What is deleted for its age is gone for good, so a clock that jumps forward is not believed
 * at once: until it has run on for a while without a jump, ages are measured by `trustedTime`, which runs on from what the
 * clock showed before.
 */
export class LogClock {
  readonly #options: LogClockOptions;
  #shown: number;
  #trusted: number;
  #running = 0;
  /** For how long it has run on without a jump. */
  #steady = 0;
  #isOnTrial = false;
  /** Undefined from a jump on until it is known what was stamped before. */
  #trialSince: number | undefined = 0;

  /** @param trusted - what it showed when it was believed last; undefined in a new log */
  constructor(options: LogClockOptions, trusted: number | undefined) {
    this.#options = options;
    this.#trusted = trusted ?? readClock(options);
    this.#shown = this.#trusted;
  }

  /** What it showed when it was last looked at. */
  get shown(): number {
    return this.#shown;
  }

  /** For how many milliseconds it was seen to run. This never goes back, and does not jump. */
  get running(): number {
    return this.#running;
  }

  get trial(): ClockTrial | undefined {
    if (!this.#isOnTrial || this.#trialSince === undefined) return undefined;
    return { since: this.#trialSince, aheadMs: this.#shown - this.#trusted };
  }

  /** Looks at the clock. MUST be called every few seconds: when it is not looked at for longer, it seems to jump. */
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
    // One that was set back is believed at once: nothing is deleted too early for that.
    const ahead = shown - this.#trusted;
    const isOnTrial = ahead > stepMs && this.#steady < trialMs;
    if (!isOnTrial) this.#trusted = shown;
    if (isOnTrial && isJump) this.#options.onEvent({ kind: 'jumped', byMs: ahead });
    if (this.#isOnTrial && !isOnTrial) this.#options.onEvent({ kind: 'trusted' });
    this.#isOnTrial = isOnTrial;
  }

  /** A log's state by what the clock showed when it was last looked at. */
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

/** A stamp is never before 1970, whatever the clock shows. */
function readClock({ now }: LogClockOptions): number {
  return Math.max(0, now());
}
