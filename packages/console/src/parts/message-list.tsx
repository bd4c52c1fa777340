import { useVirtualizer } from '@tanstack/react-virtual';
import { useId, useLayoutEffect, useRef, type KeyboardEvent, type RefObject } from 'react';
import { formatClock, formatTime } from '../format.ts';
import type { MessageRow, Row } from '../message-tail.ts';

interface Props {
  readonly label: string;
  readonly rows: readonly Row[];
  readonly selected: MessageRow | undefined;
  readonly onSelect: (row: MessageRow) => void;
  /** Whether the list scrolls to its end as it grows. */
  readonly isFollowing?: boolean;
  /** Called when the reader scrolls to the end of the list, or away from it. */
  readonly onEnd?: (isAtEnd: boolean) => void;
  /** Called when the reader scrolls to the start of the list, so that older rows can be loaded. */
  readonly onStart?: () => void;
  /** Whether each row shows its topic, which a pattern needs. */
  readonly withTopics: boolean;
  readonly withDates?: boolean;
  readonly scroller: RefObject<HTMLDivElement | null>;
}

export const rowHeight = 25;

/** Maximum number of characters of a message in its row. */
const charactersMax = 400;

const steps: Readonly<Record<string, number>> = {
  ArrowDown: 1,
  ArrowUp: -1,
  PageDown: 15,
  PageUp: -15,
  Home: -Infinity,
  End: Infinity,
};

/**
 * A virtual list of messages: only the rows on the screen are in the document. Arrow keys select a message.
 */
export function MessageList(props: Props) {
  const { label, rows, selected, onSelect, isFollowing = false, onEnd, scroller } = props;
  const id = useId();
  const virtualizer = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => rowHeight,
    overscan: 10,
    useFlushSync: false,
  });
  const height = virtualizer.getTotalSize();
  useLayoutEffect(() => {
    const list = scroller.current;
    if (isFollowing && list) list.scrollTop = list.scrollHeight;
  }, [rows, isFollowing, height, scroller]);
  const onScroll = useEnds(props);
  const onKeyDown = (event: KeyboardEvent): void => {
    const step = steps[event.key];
    if (step === undefined || rows.length === 0) return;
    event.preventDefault();
    const at = rows.findIndex(({ key }) => key === selected?.key);
    const next = at === -1 ? rows.length - 1 : Math.min(rows.length - 1, Math.max(0, at + step));
    const row = rows[next];
    if (step < 0) onEnd?.(false);
    virtualizer.scrollToIndex(next, { align: 'auto' });
    if (row?.kind === 'message') onSelect(row);
  };
  const selectedId = selected && `${id}-${selected.key}`;
  const items = virtualizer.getVirtualItems();
  const isShown = items.some(({ index }) => rows[index]?.key === selected?.key);
  return (
    <div
      className="scroll messages"
      ref={scroller}
      role="listbox"
      aria-label={label}
      aria-activedescendant={isShown ? selectedId : undefined}
      tabIndex={0}
      onScroll={onScroll}
      onKeyDown={onKeyDown}
    >
      <div role="presentation" style={{ height }}>
        {items.map(({ index, start }) => {
          const row = rows[index];
          if (!row) return null;
          return (
            <div
              key={row.key}
              id={`${id}-${row.key}`}
              role="option"
              tabIndex={-1}
              aria-selected={row.key === selected?.key}
              aria-setsize={rows.length}
              aria-posinset={index + 1}
              className={row.kind}
              style={{ transform: `translateY(${start}px)` }}
              onClick={() => row.kind === 'message' && onSelect(row)}
            >
              <Line row={row} {...props} />
            </div>
          );
        })}
      </div>
    </div>
  );
}

/** Reports when the reader scrolls to an end of the list, or away from it. */
function useEnds({ scroller, onEnd, onStart }: Props): () => void {
  // New rows move the end of the list. Only scrolling upwards means that the reader left it.
  const lastTop = useRef(0);
  return () => {
    const list = scroller.current;
    if (!list) return;
    const isAtEnd = list.scrollHeight - list.scrollTop - list.clientHeight < rowHeight;
    const isUpward = list.scrollTop < lastTop.current;
    lastTop.current = list.scrollTop;
    if (isAtEnd) onEnd?.(true);
    else if (isUpward) onEnd?.(false);
    if (list.scrollTop < rowHeight * 4 && isUpward) onStart?.();
  };
}

interface LineProps {
  readonly row: Row;
  readonly withTopics: boolean;
  readonly withDates?: boolean;
}

function Line({ row, withTopics, withDates = false }: LineProps) {
  if (row.kind === 'gap') return <span className="gap-text">{row.text}</span>;
  return (
    <>
      <time dateTime={isoOf(row.time)}>{withDates ? formatTime(row.time) : formatClock(row.time)}</time>
      {withTopics && (
        <span className="of-topic keep-end">
          <bdi>{row.topic}</bdi>
        </span>
      )}
      {row.publisher !== undefined && <span className="of-publisher">{row.publisher}</span>}
      <code>{row.text.slice(0, charactersMax)}</code>
    </>
  );
}

function isoOf(time: number): string | undefined {
  const date = new Date(time);
  return Number.isNaN(date.getTime()) ? undefined : date.toISOString();
}
