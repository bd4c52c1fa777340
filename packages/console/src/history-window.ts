import type { HistoryPage } from '@fanfare/protocol';
import { rowOf, type MessageRow } from './message-tail.ts';

/**
 * A part of the history. It grows at one end, and drops messages at the other, so that its size stays
 * bounded.
 */
export interface HistoryWindow {
  readonly rows: readonly MessageRow[];
  readonly hasOlder: boolean;
  readonly hasNewer: boolean;
  /** The offset from which newer messages are loaded. */
  readonly next: string | undefined;
}

export const emptyWindow: HistoryWindow = { rows: [], hasOlder: false, hasNewer: false, next: undefined };

/** Maximum number of messages in the window. */
export const windowMax = 2_000;

/** @param isWhole - whether the page starts with the first message that is kept */
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
  // Keys become negative, so that the existing rows keep theirs.
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
