import type { LogState, Store } from '../../store/store.ts';
import type { TopicTable } from '../topic-table.ts';

/**
 * The log as readers see it: what is committed and was given to the tail. The store may already have more.
 */
export interface LogView {
  readonly store: Store;
  readonly topics: TopicTable;
  readonly state: () => LogState;
}
