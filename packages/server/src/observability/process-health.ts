import { monitorEventLoopDelay, type IntervalHistogram } from 'node:perf_hooks';
import type { LoopDelay } from '@fanfare/protocol';

/**
 * The interval at which Node samples the delay. It records the time between two samples, which costs almost
 * nothing while the process is idle.
 */
const resolutionMs = 50;

/**
 * The interval of resets, in milliseconds. A monitor covers the time since its last reset, at most twice the
 * interval.
 */
const emptiedEveryMs = 5_000;

/** The start time of the server, and the event-loop delay of its process. */
export class ProcessHealth {
  readonly startedAt: number;
  readonly #now: () => number;
  /** Two monitors are reset alternately. The one that was not reset last is read. */
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

  /** The event-loop delay of the last five to ten seconds. */
  get loopDelayMs(): LoopDelay {
    const monitor = this.#monitor;
    // Rounded to microseconds. A monitor without samples has meaningless values.
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
