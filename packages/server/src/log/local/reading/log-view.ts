import type { LogState, Store } from '../../store/store.ts';
import type { TopicTable } from '../topic-table.ts';

/** What reading needs. It sees what was committed and given to the tail, whatever more the store has by then. */
export interface LogView {
  readonly store: Store;
  readonly topics: TopicTable;
  readonly state: () => LogState;
}
