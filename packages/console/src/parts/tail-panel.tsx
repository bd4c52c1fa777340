import { useMemo, useRef, useState } from 'react';
import { formatCount, formatRate, plural } from '../format.ts';
import { rowFilter, type MessageRow } from '../message-tail.ts';
import { useTail } from '../use-tail.ts';
import { MessageList } from './message-list.tsx';
import { Notice } from './notice.tsx';

interface Props {
  readonly topic: string;
  readonly withTopics: boolean;
  readonly selected: MessageRow | undefined;
  readonly onSelect: (row: MessageRow) => void;
}

/** The messages of a topic as they arrive. The list stands still while it is paused or scrolled up. */
export function TailPanel({ topic, withTopics, selected, onSelect }: Props) {
  const [isPaused, setIsPaused] = useState(false);
  const [isAtEnd, setIsAtEnd] = useState(true);
  const [text, setText] = useState('');
  const scroller = useRef<HTMLDivElement>(null);
  const isHeld = isPaused || !isAtEnd;
  const { view, waiting, rate, error } = useTail(topic, isHeld);
  const rows = useMemo(() => view.rows.filter(rowFilter(text)), [view, text]);
  const resume = (): void => {
    setIsPaused(false);
    setIsAtEnd(true);
  };
  return (
    <>
      <div className="row">
        <button
          type="button"
          className="plain"
          aria-pressed={isPaused}
          onClick={() => (isPaused ? resume() : setIsPaused(true))}
        >
          {isPaused ? 'Resume' : 'Pause'}
        </button>
        <label className="grow inline">
          Filter
          <input
            type="search"
            value={text}
            spellCheck={false}
            onChange={(event) => setText(event.target.value)}
          />
        </label>
        <span className="quiet number">
          {formatRate(rate)} /s ·{' '}
          {text === ''
            ? plural(rows.length, 'message')
            : `${formatCount(rows.length)} of ${formatCount(view.rows.length)}`}
        </span>
      </div>
      {error !== undefined && <Notice kind="bad">{error}</Notice>}
      <MessageList
        label={`Messages of ${topic}`}
        rows={rows}
        selected={selected}
        onSelect={onSelect}
        isFollowing={!isHeld}
        onEnd={setIsAtEnd}
        withTopics={withTopics}
        scroller={scroller}
      />
      <div className="row below-list">
        <span className="quiet" role="status">
          {skippedText(view.skipped, view.skippedInPause)}
        </span>
        {isHeld && (
          <button type="button" className="small" onClick={resume}>
            {waiting > 0 ? `${plural(waiting, 'new message')}: continue` : 'Continue'}
          </button>
        )}
        {rows.length === 0 && view.rows.length === 0 && (
          <span className="quiet">No messages yet. They appear here as they are published.</span>
        )}
      </div>
    </>
  );
}

function skippedText(whilePainting: number, whilePaused: number): string {
  const parts = [
    whilePainting > 0 && `${formatCount(whilePainting)} skipped (too fast to show)`,
    whilePaused > 0 && `${formatCount(whilePaused)} skipped while paused`,
  ];
  return parts.filter((part) => part !== false).join(' · ');
}
