/**
 * Redis's clock, as the answers of Redis show it. The true time is between `earliest` and `latest`, as long
 * as nobody sets the clock.
 */
export class RedisClock {
  #earliestOffset = 0;
  #latestOffset = 0;

  /** Redis's clock now, at the earliest, in milliseconds since 1970. */
  get earliest(): number {
    return performance.now() + this.#earliestOffset;
  }

  /** Redis's clock now, at the latest, in milliseconds since 1970. */
  get latest(): number {
    return performance.now() + this.#latestOffset;
  }

  /** Asks for the time, and learns it from the answer. */
  async learn<Answer extends { readonly clock: number }>(ask: () => Promise<Answer>): Promise<Answer> {
    const sentAt = performance.now();
    const answer = await ask();
    // Redis looked at its clock between these two times.
    this.#earliestOffset = answer.clock - performance.now();
    this.#latestOffset = answer.clock - sentAt;
    return answer;
  }
}
