import { useVirtualizer } from '@tanstack/react-virtual';
import { useEffect, useMemo, useRef, type ReactNode } from 'react';
import { nextSort, sortRows, type Sort } from '../sorting.ts';

export interface Column<T> {
  readonly id: string;
  readonly label: string;
  /**
   * The sort key of a row. Without it, the column cannot be sorted. Numbers are sorted in descending order
   * first.
   */
  readonly by?: (row: T) => string | number;
  readonly cell: (row: T) => ReactNode;
  readonly isNumber?: boolean;
  /** Whether narrow screens hide the column. */
  readonly isWideOnly?: boolean;
  /**
   * Whether a long text loses its start, because names differ at their end. The cell must put it into a
   * `bdi`.
   */
  readonly keepsEnd?: boolean;
}

interface Props<T> {
  readonly label: string;
  readonly columns: readonly Column<T>[];
  readonly rows: readonly T[];
  readonly keyOf: (row: T) => string;
  readonly sort: Sort;
  readonly onSort: (sort: Sort) => void;
  /** Called with the rows that are on the screen. */
  readonly onShown?: (rows: readonly T[]) => void;
}

const rowHeight = 33;

/** A virtual table of any length: only the rows on the screen are in the document. */
export function VirtualTable<T>({ label, columns, rows, keyOf, sort, onSort, onShown }: Props<T>) {
  const scroller = useRef<HTMLDivElement>(null);
  const column = columns.find(({ id }) => id === sort.id);
  const sorted = useMemo(
    () => (column?.by ? sortRows(rows, column.by, sort.isDescending) : rows),
    [rows, column, sort.isDescending],
  );
  const virtualizer = useVirtualizer({
    count: sorted.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => rowHeight,
    overscan: 10,
    useFlushSync: false,
  });
  const items = virtualizer.getVirtualItems();
  const [first, last] = [items[0], items.at(-1)];
  const before = first?.start ?? 0;
  const after = virtualizer.getTotalSize() - (last?.end ?? 0);
  const shown = useMemo(
    () => sorted.slice(first?.index ?? 0, (last?.index ?? -1) + 1),
    [sorted, first?.index, last?.index],
  );
  useEffect(() => onShown?.(shown), [onShown, shown]);
  return (
    <div className="scroll table" ref={scroller} tabIndex={0} role="region" aria-label={label}>
      <table aria-rowcount={sorted.length + 1}>
        <thead>
          <tr aria-rowindex={1}>
            {columns.map((one) => (
              <Head key={one.id} column={one} sort={sort} onSort={onSort} />
            ))}
          </tr>
        </thead>
        <tbody>
          {before > 0 && <Spacer height={before} />}
          {shown.map((row, at) => (
            <tr key={keyOf(row)} aria-rowindex={(first?.index ?? 0) + at + 2}>
              {columns.map((one) => (
                <td key={one.id} className={classOf(one)}>
                  {one.cell(row)}
                </td>
              ))}
            </tr>
          ))}
          {after > 0 && <Spacer height={after} />}
        </tbody>
      </table>
    </div>
  );
}

interface HeadProps<T> {
  readonly column: Column<T>;
  readonly sort: Sort;
  readonly onSort: (sort: Sort) => void;
}

function Head<T>({ column, sort, onSort }: HeadProps<T>) {
  if (!column.by) {
    return (
      <th scope="col" className={classOf(column)}>
        <span className="head">{column.label}</span>
      </th>
    );
  }
  const isSorted = sort.id === column.id;
  const direction = sort.isDescending ? 'descending' : 'ascending';
  return (
    <th scope="col" className={classOf(column)} aria-sort={isSorted ? direction : undefined}>
      <button type="button" onClick={() => onSort(nextSort(sort, column.id, column.isNumber === true))}>
        {column.label}
        <span aria-hidden="true">{isSorted ? (sort.isDescending ? ' ↓' : ' ↑') : ''}</span>
      </button>
    </th>
  );
}

/**
 * Fills the space of the rows that are not in the document. It has a single cell, because a cell that spans
 * columns would show columns that narrow screens hide.
 */
function Spacer({ height }: { readonly height: number }) {
  return (
    <tr className="spacer" aria-hidden="true">
      <td style={{ height }} />
    </tr>
  );
}

function classOf<T>({ id, isNumber, isWideOnly, keepsEnd }: Column<T>): string {
  return [`column-${id}`, isNumber && 'number', isWideOnly && 'wide-only', keepsEnd && 'keep-end']
    .filter(Boolean)
    .join(' ');
}
