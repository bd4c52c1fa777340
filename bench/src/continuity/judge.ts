/** What became of a number of messages at a number of subscribers. */
export interface Verdict {
  /** How many messages all subscribers together were to get. */
  readonly due: number;
  /** How many of them they got. */
  readonly delivered: number;
  /** How many they got once more. */
  readonly duplicates: number;
  /** How many came for the first time after one that was published later. */
  readonly reorders: number;
  /** How many were neither published nor could have been. */
  readonly phantoms: number;
}

/**
 * Judges what subscribers got.
 *
 * @param received - of each subscriber the numbers of its messages, as they came
 * @param published - how many messages were published; they are numbered from 0 on
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

/** Whether every message came to everybody, once and in order. */
export function isFlawless({ due, delivered, duplicates, reorders, phantoms }: Verdict): boolean {
  return delivered === due && duplicates + reorders + phantoms === 0;
}
