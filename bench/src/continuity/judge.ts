/** The result of delivering a number of messages to a number of subscribers. */
export interface Verdict {
  /** How many deliveries were due to all subscribers together. */
  readonly due: number;
  /** How many of them arrived. */
  readonly delivered: number;
  /** How many arrived once more. */
  readonly duplicates: number;
  /** How many arrived for the first time after a message that was published later. */
  readonly reorders: number;
  /** How many arrivals were of messages that cannot have been published. */
  readonly phantoms: number;
}

/**
 * Judges the messages that subscribers got.
 *
 * @param received - the numbers of the messages of each subscriber, in the order of arrival
 * @param published - how many messages were published. They are numbered from 0
 */
export function judge(received: readonly (readonly number[])[], published: number): Verdict {
  const verdict = { due: received.length * published, delivered: 0, duplicates: 0, reorders: 0, phantoms: 0 };
  for (const numbers of received) {
    const seen = new Set<number>();
    let highest = -1;
    for (const number of numbers) {
      if (!Number.isInteger(number) || number < 0 || number >= published) verdict.phantoms++;
      else if (seen.has(number)) verdict.duplicates++;
      else {
        verdict.delivered++;
        if (number < highest) verdict.reorders++;
      }
      seen.add(number);
      highest = Math.max(highest, number);
    }
  }
  return verdict;
}

/** Whether every subscriber got every message, once and in order. */
export function isFlawless({ due, delivered, duplicates, reorders, phantoms }: Verdict): boolean {
  return delivered === due && duplicates + reorders + phantoms === 0;
}
