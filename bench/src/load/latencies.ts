/** When each message of a stretch was sent, and when it reached half of its subscribers and the last one. */
export class Latencies {
  readonly #sentMs: number[] = [];
  readonly #arrived: number[] = [];
  readonly #medianMs: number[] = [];
  readonly #lastMs: number[] = [];
  #first = 0;

  /** Forgets everything, and begins with this message. */
  begin(sequence: number): void {
    this.#first = sequence;
    for (const list of [this.#sentMs, this.#arrived, this.#medianMs, this.#lastMs]) list.length = 0;
  }

  sent(nowMs: number): void {
    this.#sentMs.push(nowMs);
    this.#arrived.push(0);
  }

  /** @returns whether this was the last subscriber */
  arrived(sequence: number, receivers: number, nowMs: number): boolean {
    const index = sequence - this.#first;
    const count = (this.#arrived[index] ?? 0) + 1;
    this.#arrived[index] = count;
    if (count === Math.ceil(receivers / 2)) this.#medianMs.push(nowMs - (this.#sentMs[index] ?? 0));
    if (count < receivers) return false;
    this.#lastMs.push(nowMs - (this.#sentMs[index] ?? 0));
    return true;
  }

  /** Milliseconds from sending to arrival. */
  summary(): LatencySummary {
    return {
      medianP50Ms: percentile(this.#medianMs, 50),
      medianP99Ms: percentile(this.#medianMs, 99),
      lastP50Ms: percentile(this.#lastMs, 50),
      lastP99Ms: percentile(this.#lastMs, 99),
      lastP999Ms: percentile(this.#lastMs, 99.9),
    };
  }
}

export interface LatencySummary {
  readonly medianP50Ms: number;
  readonly medianP99Ms: number;
  readonly lastP50Ms: number;
  readonly lastP99Ms: number;
  readonly lastP999Ms: number;
}

/** The percentile of the values, which is one of them; NaN if there are no values. */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil((sorted.length * percent) / 100) - 1)] ?? Number.NaN;
}
