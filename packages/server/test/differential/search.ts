import { inspect } from 'node:util';
import fc from 'fast-check';
import type { Sequence } from './actions.ts';
import { inWords, type Comparer } from './compare.ts';
import { sequence } from './generator.ts';

export interface SearchOptions {
  /** The number of random sequences. */
  readonly runs: number;
  readonly seed: number;
  /** How often a sequence must show a difference, so that it counts. */
  readonly times?: number;
  /** Whether to look for a shorter sequence with the difference, which takes a second. */
  readonly isShortened?: boolean;
}

/**
 * Searches for a difference that is not listed.
 *
 * @returns the seed, the shortest sequence that was found, and the difference in words
 */
export async function search(
  comparer: Comparer,
  { runs, seed, times = 1, isShortened = true }: SearchOptions,
): Promise<string | undefined> {
  const property = fc.asyncProperty(sequence, async (actions) => {
    let differences = '';
    for (let time = 0; time < times; time++) {
      const { unlisted } = await comparer.compare(actions);
      if (unlisted.length === 0) return;
      differences = inWords(unlisted);
    }
    throw new Error(differences);
  });
  const { failed, counterexample, errorInstance } = await fc.check(property, {
    numRuns: runs,
    seed,
    endOnFailure: !isShortened,
  });
  if (!failed) return undefined;
  const [shortest = []] = counterexample ?? [];
  const what = errorInstance instanceof Error ? errorInstance.message : String(errorInstance);
  return `FANFARE_SEED=${seed}\n${sequenceInWords(shortest)}\n${what}`;
}

function sequenceInWords(actions: Sequence): string {
  const text = inspect(actions, {
    depth: null,
    maxArrayLength: null,
    maxStringLength: 300,
    breakLength: 110,
  });
  return text.replaceAll('[Object: null prototype] ', '');
}
