import { LogUncertainError, type AppendOutcome, type NewRecord } from '../topic-log.ts';
import type { SharedPatterns } from './shared-patterns.ts';

type Append = (records: readonly NewRecord[]) => Promise<readonly AppendOutcome[]>;

/**
 * Appends records, and creates their topics if a subscriber of any server has a pattern that matches. A
 * record is sent again only if its topic was not found, so that the others cost nothing more.
 */
export async function appendCovered(
  append: Append,
  patterns: SharedPatterns,
  records: readonly NewRecord[],
): Promise<readonly AppendOutcome[]> {
  const outcomes = await append(records);
  const missing = [...outcomes.keys()].filter((at) => {
    return outcomes[at]?.kind === 'topic_not_found' && records[at]?.createsTopic !== true;
  });
  if (missing.length === 0) return outcomes;
  try {
    const isCovered = await patterns.covering(missing.map((at) => (records[at] as NewRecord).topic));
    const covered = missing.filter((_, at) => isCovered[at]);
    if (covered.length === 0) return outcomes;
    const again = await append(
      covered.map((at) => Object.assign({}, records[at] as NewRecord, { createsTopic: true })),
    );
    const all = [...outcomes];
    for (const [index, at] of covered.entries()) all[at] = again[index] as AppendOutcome;
    return all;
  } catch (cause) {
    if (missing.length === outcomes.length) throw cause;
    throw new LogUncertainError('A part of the messages is in the log.', undefined, { cause });
  }
}
