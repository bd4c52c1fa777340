import { useLayoutEffect, useRef, useState } from 'react';
import { plural } from '../format.ts';
import type { MessageRow } from '../message-tail.ts';
import { useHistory, type HistoryStart } from '../use-history.ts';
import { MessageList, rowHeight } from './message-list.tsx';
import { Notice } from './notice.tsx';
import { HistoryStartForm } from './history-start-form.tsx';

interface Props {
  readonly topic: string;
  readonly withTopics: boolean;
  readonly selected: MessageRow | undefined;
  readonly onSelect: (row: MessageRow) => void;
}

/** The stored messages of a topic. Older messages are loaded when the reader scrolls up. */
export function HistoryPanel({ topic, withTopics, selected, onSelect }: Props) {
  const [start, setStart] = useState<HistoryStart>({ kind: 'newest' });
  const { window, isLoading, error, isIncomplete, loadOlder, loadNewer } = useHistory(
    topic,
    start,
    !withTopics,
  );
  const { rows, hasOlder, hasNewer } = window;
  const scroller = useRef<HTMLDivElement>(null);
  const firstKey = useRef<number>(undefined);
  useLayoutEffect(() => {
    const list = scroller.current;
    const key = rows[0]?.key;
    const before = firstKey.current;
    firstKey.current = key;
    if (!list || key === undefined) return;
    if (before === undefined) {
      list.scrollTop = start.kind === 'newest' ? list.scrollHeight : 0;
    } else {
      // Rows were added or dropped above. The list scrolls with them, so that the reader keeps the place.
      list.scrollTop += (before - key) * rowHeight;
    }
  }, [rows, start]);
  return (
    <>
      <HistoryStartForm onStart={setStart} />
      {error !== undefined && <Notice kind="bad">{error}</Notice>}
      {isIncomplete && (
        <Notice kind="note">
          The server no longer keeps all messages after this offset. The list starts with the earliest message
          that it keeps.
        </Notice>
      )}
      <MessageList
        label={`Kept messages of ${topic}`}
        rows={rows}
        selected={selected}
        onSelect={onSelect}
        onStart={loadOlder}
        withTopics={withTopics}
        withDates
        scroller={scroller}
      />
      <div className="row below-list">
        {!withTopics && (
          <button type="button" className="plain small" disabled={!hasOlder || isLoading} onClick={loadOlder}>
            Older
          </button>
        )}
        <button
          type="button"
          className="plain small"
          disabled={isLoading || rows.length === 0}
          onClick={loadNewer}
        >
          Newer
        </button>
        <span className="quiet" role="status">
          {isLoading ? 'Loading …' : describe(rows.length, hasOlder || withTopics, hasNewer)}
        </span>
      </div>
    </>
  );
}

function describe(count: number, hasOlder: boolean, hasNewer: boolean): string {
  if (count === 0) return 'No messages are kept here.';
  const ends = [!hasOlder && 'from the earliest', !hasNewer && 'to the newest'].filter(
    (end) => end !== false,
  );
  return [plural(count, 'message'), ...ends].join(', ');
}
