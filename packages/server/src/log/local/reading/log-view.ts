import type { LogState, Store } from '../../store/store.ts';
import type { TopicTable } from '../topic-table.ts';

/**
 * The log for readers: the records that are committed and were given to the tail. The store may already have
 * more.
 */
export interface LogView {
  readonly store: Store;
  readonly topics: TopicTable;
  readonly state: () => LogState;
}
