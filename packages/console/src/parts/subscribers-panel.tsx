import type { SubscriberInfo, SubscriberPage } from '@fanfare/protocol';
import { useCallback, useState } from 'react';
import { plural } from '../format.ts';
import { usePageContext } from '../page-context.ts';
import type { Sort } from '../sorting.ts';
import { usePoll } from '../use-poll.ts';
import { connectionColumn, sinceColumn, subjectColumn, waitingColumn } from './connection-columns.tsx';
import { Notice } from './notice.tsx';
import { VirtualTable, type Column } from './virtual-table.tsx';

const shownMax = 1_000;
const pollMs = 2_000;

const columns: readonly Column<SubscriberInfo>[] = [
  connectionColumn('connection', ({ connection }) => connection),
  subjectColumn,
  {
    id: 'via',
    label: 'Subscribed to',
    isWideOnly: true,
    keepsEnd: true,
    by: ({ via }) => via,
    cell: ({ via }) => (
      <code title={via}>
        <bdi>{via}</bdi>
      </code>
    ),
  },
  sinceColumn,
  { id: 'state', label: 'State', by: ({ state }) => state, cell: ({ state }) => stateText(state) },
  waitingColumn,
];

export function SubscribersPanel({ topic }: { readonly topic: string }) {
  const { api } = usePageContext();
  const ask = useCallback((): Promise<SubscriberPage> => api.subscribers(topic, shownMax), [api, topic]);
  const { data, error } = usePoll(ask, pollMs);
  const [sort, setSort] = useState<Sort>({ id: 'since', isDescending: false });
  if (error) return <Notice kind="bad">{error.message}</Notice>;
  if (!data) return <p className="quiet">Loading …</p>;
  if (data.subscribers.length === 0) return <p className="quiet">No subscribers.</p>;
  return (
    <>
      <p className="quiet">
        {data.cursor === undefined
          ? `${plural(data.subscribers.length, 'subscriber')}.`
          : `The first ${plural(data.subscribers.length, 'subscriber')}; more exist.`}
        {' This page is one of them while its tab Live is open.'}
      </p>
      <VirtualTable
        label={`Subscribers of ${topic}`}
        columns={columns}
        rows={data.subscribers}
        keyOf={({ connection, via, envelope }) => `${connection} ${String(envelope)} ${via}`}
        sort={sort}
        onSort={setSort}
      />
    </>
  );
}

export function stateText(state: SubscriberInfo['state']): string {
  return state === 'live' ? 'live' : 'catching up';
}
