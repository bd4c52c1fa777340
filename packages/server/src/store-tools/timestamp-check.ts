import { fixedLimits } from '../limits/fixed-limits.ts';
import { clockStepsMax } from '../log/local/effective-time.ts';
import type { Block, ClockStep, LogState } from '../log/store/store.ts';
import { describeDuration, describeTime } from '../observability/describe-time.ts';

const { value: stepMs } = fixedLimits.clockStepMs;

/** Checks that the timestamps of blocks go back only where the clock was set back, and are in the past. */
export class TimestampCheck {
  readonly #steps: readonly ClockStep[];
  readonly #now: number;
  #first: number | undefined;
  #last = 0;
  #newest = 0;
  #newestOfAll = 0;
  #fromFuture = 0;

  /** @param now - the wall clock */
  constructor(state: LogState | undefined, now: number) {
    this.#steps = state?.clockSteps ?? [];
    this.#now = now;
  }

  /** The newest timestamp since the last clock step. */
  get newest(): number {
    return this.#newest;
  }

  /** @returns whether the timestamp of the next block is in order */
  take({ first, time, runs }: Block): boolean {
    if (this.#isAfterStep(first)) this.#newest = 0;
    const isInOrder = time >= this.#newest;
    this.#first ??= first;
    this.#last = first;
    this.#newest = Math.max(this.#newest, time);
    this.#newestOfAll = Math.max(this.#newestOfAll, time);
    if (time > this.#now + stepMs) this.#fromFuture += runs.reduce((sum, { count }) => sum + count, 0);
    return isInOrder;
  }

  /** Notices about the clock that made the timestamps, as sentences for people. */
  get notices(): readonly string[] {
    const notices: string[] = [];
    for (const { sequence, before, after } of this.#steps) {
      if (sequence <= (this.#first ?? Infinity)) continue;
      notices.push(
        `The clock was set back by ${describeDuration(before - after)} before message ${sequence} of the log: ` +
          `from ${describeTime(before)} to ${describeTime(after)}.`,
      );
    }
    if (this.#fromFuture > 0)
      notices.push(
        `${this.#fromFuture} messages have timestamps in the future, up to ${describeTime(this.#newestOfAll)}. The clock shows ` +
          `${describeTime(this.#now)}. If the clock is right, 'fanfare store repair-times' corrects them.`,
      );
    return notices;
  }

  #isAfterStep(block: number): boolean {
    const [oldest] = this.#steps;
    // There were clock steps before the oldest, which are not remembered.
    if (this.#steps.length >= clockStepsMax && oldest && block < oldest.sequence) return true;
    return this.#steps.some(({ sequence }) => this.#last < sequence && sequence <= block);
  }
}
