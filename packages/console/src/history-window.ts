import type { HistoryPage } from '@fanfare/protocol';
import { rowOf, type MessageRow } from './message-tail.ts';

/** A stretch of what is kept, which grows at either end and is let go of at the other. */
export interface HistoryWindow {
  readonly rows: readonly MessageRow[];
  readonly hasOlder: boolean;
  readonly hasNewer: boolean;
  /** The offset to go on from towards the newest. */
  readonly next: string | undefined;
}

export const emptyWindow: HistoryWindow = { rows: [], hasOlder: false, hasNewer: false, next: undefined };

/** How many messages are held at once. */
export const windowMax = 2_000;

/** @param isWhole - whether the page is known to begin with the first message that is kept */
export function openWindow({ messages, more, next }: HistoryPage, isWhole: boolean): HistoryWindow {
  const rows = messages.map((message, at) => rowOf(message, at));
  return { rows, hasOlder: !isWhole, hasNewer: more, next };
}

export function withNewer(window: HistoryWindow, { messages, more, next }: HistoryPage): HistoryWindow {
  const start = (window.rows.at(-1)?.key ?? -1) + 1;
  const rows = [...window.rows, ...messages.map((message, at) => rowOf(message, start + at))];
  return {
    rows: rows.slice(-windowMax),
    hasOlder: window.hasOlder || rows.length > windowMax,
    hasNewer: more,
    next,
  };
}

export function withOlder(window: HistoryWindow, { messages, more }: HistoryPage): HistoryWindow {
  // Keys go below zero: those of the rows that are there stay.
  const start = (window.rows[0]?.key ?? 0) - messages.length;
  const all = [...messages.map((message, at) => rowOf(message, start + at)), ...window.rows];
  const rows = all.slice(0, windowMax);
  const isCut = rows.length < all.length;
  return {
    rows,
    hasOlder: more,
    hasNewer: window.hasNewer || isCut,
    next: isCut ? rows.at(-1)?.offset : window.next,
  };
}
