/** From half a millisecond to ten seconds: a commit on a fast disk takes 1 ms, one on a slow disk 100 ms. */
const secondsBounds = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10];

/** From one to the most messages that a commit usually has. */
const countBounds = [1, 4, 16, 64, 256, 1_024, 4_096];

/** Counts values by their size. They are plain numbers, which are read when metrics are asked for. */
export class Histogram {
  /** The upper bounds of the buckets. */
  readonly bounds: readonly number[];
  /** The number of values in each bucket, and of those above the last bound. */
  readonly counts: number[];
  sum = 0;

  private constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = [...bounds.map(() => 0), 0];
  }

  static ofSeconds(): Histogram {
    return new Histogram(secondsBounds);
  }

  static ofCounts(): Histogram {
    return new Histogram(countBounds);
  }

  note(value: number): void {
    let at = 0;
    while (at < this.bounds.length && value > (this.bounds[at] as number)) at++;
    (this.counts[at] as number)++;
    this.sum += value;
  }
}
