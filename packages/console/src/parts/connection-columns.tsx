import type { ConnectionInfo } from '@fanfare/protocol';
import { formatBytes, formatClock, formatSpan, formatTime } from '../format.ts';
import { hrefOf } from '../routes.ts';
import type { Column } from './virtual-table.tsx';

/** The column with the id of a connection, as a link to the connection. */
export function connectionColumn<T>(id: string, idOf: (row: T) => string): Column<T> {
  return {
    id,
    label: 'Connection',
    by: idOf,
    cell: (row) => (
      <a className="mono" href={hrefOf({ page: 'connections', id: idOf(row) })}>
        {idOf(row)}
      </a>
    ),
  };
}

export const subjectColumn: Column<Pick<ConnectionInfo, 'subject'>> = {
  id: 'subject',
  label: 'Subject',
  by: ({ subject }) => subject ?? '',
  cell: ({ subject }) => subject ?? '–',
};

export const sinceColumn: Column<Pick<ConnectionInfo, 'since'>> = {
  id: 'since',
  label: 'Since',
  isNumber: true,
  isWideOnly: true,
  by: ({ since }) => since,
  cell: ({ since }) => (
    <span title={`${formatTime(since)}, ${formatClock(since)}`}>{formatSpan(Date.now() - since)}</span>
  ),
};

export const waitingColumn: Column<Pick<ConnectionInfo, 'bytesWaiting'>> = {
  id: 'waiting',
  label: 'Waiting',
  isNumber: true,
  by: ({ bytesWaiting }) => bytesWaiting,
  cell: ({ bytesWaiting }) => formatBytes(bytesWaiting),
};
