import type { StoreCommit } from '../../store/store.ts';
import type { Removal } from '../trimming/retention.ts';
import type { CommitPlan } from './commit-plan.ts';

/** Returns undefined if there is nothing to store. */
export function storeCommitOf(plan: CommitPlan, removal: Removal | undefined): StoreCommit | undefined {
  const { isNeeded, topics, removedTopics, ...planned } = plan.commit();
  if (!removal && !isNeeded) return undefined;
  const { topics: trimmed, removedTopics: purged, ...removed } = removal?.commit ?? nothingRemoved;
  const isForgotten = new Set(removedTopics);
  // A planned change of a topic is newer than its trimmed record.
  const known = trimmed.filter(({ number }) => !isForgotten.has(number));
  return {
    ...planned,
    ...removed,
    topics: [...known, ...topics],
    removedTopics: [...purged, ...removedTopics],
  };
}

export const nothingRemoved: Removal['commit'] = {
  topics: [],
  removedTopics: [],
  removedChunks: [],
  removedBlocks: [],
  removedIds: [],
};
