import type { Deletion } from '../store/store.ts';
import type { CommitLoop } from './commit/commit-loop.ts';
import { withDeletions } from './deletions.ts';
import type { TopicTable } from './topic-table.ts';
import type { Retention } from './trimming/retention.ts';

/** Applies changed rules to the topics that exist, between two commits. */
export function applyRules(topics: TopicTable, retention: Retention, commits: CommitLoop): void {
  commits.change((state) => {
    const begun: Deletion[] = [];
    for (const entry of topics.all()) {
      const hasBegun = topics.applyRule(entry, state.head);
      if (hasBegun) begun.push({ topic: entry.name, sequence: entry.createdAt });
      retention.note(entry);
      if (entry.isOutdated) commits.save(entry);
    }
    return { ...state, deletions: withDeletions(state.deletions, begun) };
  });
}
