import type { ConnectionInfo } from '@fanfare/protocol';
import { useMemo, useState } from 'react';
import { formatCount, plural } from '../format.ts';
import { connectionColumn, sinceColumn, subjectColumn, waitingColumn } from '../parts/connection-columns.tsx';
import { ConnectionPanel } from '../parts/connection-panel.tsx';
import { Notice } from '../parts/notice.tsx';
import { VirtualTable, type Column } from '../parts/virtual-table.tsx';
import type { Sort } from '../sorting.ts';
import { useConnections } from '../use-connections.ts';

const columns: readonly Column<ConnectionInfo>[] = [
  connectionColumn('id', ({ id }) => id),
  {
    id: 'transport',
    label: 'Transport',
    isWideOnly: true,
    by: ({ transport }) => transport,
    cell: ({ transport }) => transport,
  },
  { id: 'address', label: 'Address', by: ({ address }) => address, cell: ({ address }) => address || '–' },
  { ...subjectColumn, isWideOnly: true },
  sinceColumn,
  {
    id: 'subscriptions',
    label: 'Subscriptions',
    isNumber: true,
    isWideOnly: true,
    by: ({ subscriptions }) => subscriptions,
    cell: ({ subscriptions }) => formatCount(subscriptions),
  },
  {
    id: 'catching',
    label: 'Catching up',
    isNumber: true,
    isWideOnly: true,
    by: ({ catchingUp }) => catchingUp,
    cell: ({ catchingUp }) => formatCount(catchingUp),
  },
  waitingColumn,
];

const [idColumn, ...otherColumns] = columns;

const withNode: readonly Column<ConnectionInfo>[] = [
  ...(idColumn ? [idColumn] : []),
  { id: 'node', label: 'Node', by: ({ node = '' }) => node, cell: ({ node }) => node ?? '–' },
  ...otherColumns,
];

export function ConnectionsPage({ id }: { readonly id: string | undefined }) {
  const { data, error, refresh } = useConnections();
  const [text, setText] = useState('');
  const [sort, setSort] = useState<Sort>({ id: 'since', isDescending: true });
  const rows = useMemo(() => searched(data?.rows ?? [], text), [data, text]);
  const hasNodes = rows.some(({ node }) => node !== undefined);
  return (
    <>
      <div className="title">
        <h1>Connections</h1>
        <p className="quiet" role="status">
          {data && plural(data.rows.length, 'connection')}
          {data?.isCut === true && ' (more exist than are listed)'}
        </p>
      </div>
      {error && <Notice kind="bad">{error.message}</Notice>}
      <div className="row" role="search">
        <label className="search">
          Search
          <input
            type="search"
            placeholder="id, address, subject or transport"
            value={text}
            spellCheck={false}
            onChange={(event) => setText(event.target.value)}
          />
        </label>
      </div>
      <div className="with-side">
        {data && rows.length === 0 ? (
          <Notice kind="note">{text === '' ? 'No connections.' : 'No connection matches the search.'}</Notice>
        ) : (
          <VirtualTable
            label="Connections"
            columns={hasNodes ? withNode : columns}
            rows={rows}
            keyOf={(row) => row.id}
            sort={sort}
            onSort={setSort}
          />
        )}
        {id !== undefined && <ConnectionPanel key={id} id={id} onEnded={refresh} />}
      </div>
    </>
  );
}

function searched(rows: readonly ConnectionInfo[], part: string): readonly ConnectionInfo[] {
  if (part === '') return rows;
  const wanted = part.toLowerCase();
  return rows.filter(({ id, address, subject = '', transport, node = '' }) =>
    [id, address, subject, transport, node].some((text) => text.toLowerCase().includes(wanted)),
  );
}
