import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';

/** The figures of a group of latencies, in milliseconds. Without latencies, they are absent. */
export interface LatencyFigures {
  readonly count: number;
  readonly p50Ms?: number;
  readonly p90Ms?: number;
  readonly p99Ms?: number;
  readonly p999Ms?: number;
  readonly maxMs?: number;
}

/** Latencies in a histogram: exact to a thousandth, in the same memory for any number of them. */
export class Latencies {
  readonly #histogram: RecordableHistogram = createHistogram({
    lowest: 1,
    highest: 3_600_000_000,
    figures: 3,
  });

  add(ms: number): void {
    this.#histogram.record(Math.max(1, Math.round(ms * 1_000)));
  }

  get figures(): LatencyFigures {
    const { count, max } = this.#histogram;
    if (count === 0) return { count };
    const at = (percent: number): number => this.#histogram.percentile(percent) / 1_000;
    return { count, p50Ms: at(50), p90Ms: at(90), p99Ms: at(99), p999Ms: at(99.9), maxMs: max / 1_000 };
  }
}
