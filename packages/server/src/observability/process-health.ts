import { monitorEventLoopDelay, type IntervalHistogram } from 'node:perf_hooks';
import type { LoopDelay } from '@fanfare/protocol';

/** How often it is looked: what Node records is the time from one look to the next. Often enough, and hardly any work when idle. */
const resolutionMs = 50;

/** A monitor tells of what was since it was emptied last: twice this long ago at the most. */
const emptiedEveryMs = 5_000;

/** Since when the process serves, and how it is. */
export class ProcessHealth {
  readonly startedAt: number;
  readonly #now: () => number;
  /** They are emptied in turns, and the one that was not emptied last is read. */
  #monitor = begin();
  #next = begin();
  readonly #timer: NodeJS.Timeout;

  /** @param now - the wall clock, in milliseconds since 1970 */
  constructor(now: () => number) {
    this.#now = now;
    this.startedAt = now();
    this.#timer = setInterval(() => this.#turn(), emptiedEveryMs).unref();
  }

  get time(): number {
    return this.#now();
  }

  /** Of the last seconds: of five to ten, once it has run for so long. */
  get loopDelayMs(): LoopDelay {
    const monitor = this.#monitor;
    // To the microsecond. One that has recorded nothing yet has odd values.
    const delay = (nanoseconds: number): number =>
      monitor.count === 0 ? 0 : Math.max(0, Math.round(nanoseconds / 1_000) - resolutionMs * 1_000) / 1_000;
    return {
      p50: delay(monitor.percentile(50)),
      p99: delay(monitor.percentile(99)),
      max: delay(monitor.max),
    };
  }

  close(): void {
    clearInterval(this.#timer);
    this.#monitor.disable();
    this.#next.disable();
  }

  #turn(): void {
    [this.#monitor, this.#next] = [this.#next, this.#monitor];
    this.#next.reset();
  }
}

function begin(): IntervalHistogram {
  const monitor = monitorEventLoopDelay({ resolution: resolutionMs });
  monitor.enable();
  return monitor;
}
