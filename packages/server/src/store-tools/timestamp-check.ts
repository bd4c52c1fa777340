import { fixedLimits } from '../limits/fixed-limits.ts';
import { clockStepsMax } from '../log/local/effective-time.ts';
import type { Block, ClockStep, LogState } from '../log/store/store.ts';
import { describeDuration, describeTime } from '../observability/describe-time.ts';

const { value: stepMs } = fixedLimits.clockStepMs;

/** Checks the stamps of blocks, one after the other: they go back only where the clock was set back, and lie in the past. */
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

  /** The newest stamp since the last step of the clock. */
  get newest(): number {
    return this.#newest;
  }

  /** @returns whether the stamp of the block that comes next is in order */
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

  /** What is worth knowing of the clock by which messages were stamped, as sentences for people. */
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
        `${this.#fromFuture} messages are stamped in the future, up to ${describeTime(this.#newestOfAll)}; the clock shows ` +
          `${describeTime(this.#now)}. If it is right, 'fanfare store repair-times' corrects them.`,
      );
    return notices;
  }

  #isAfterStep(block: number): boolean {
    const [oldest] = this.#steps;
    // There were others before the oldest, which are not remembered.
    if (this.#steps.length >= clockStepsMax && oldest && block < oldest.sequence) return true;
    return this.#steps.some(({ sequence }) => this.#last < sequence && sequence <= block);
  }
}
