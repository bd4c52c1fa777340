import type { HistoryPage } from '@fanfare/protocol';
import { describe, expect, it } from 'vitest';
import { openWindow, windowMax, withNewer, withOlder, type HistoryWindow } from '../src/history-window.ts';

/** A page of the messages from one number to before another. */
function page(from: number, to: number, more: boolean): HistoryPage {
  const messages = Array.from({ length: to - from }, (_, at) => ({
    topic: 'a',
    message: from + at,
    offset: `e.${from + at}`,
    time: from + at,
  }));
  return { messages, more, next: `e.${to - 1}` };
}

function span({ rows }: HistoryWindow): unknown {
  const keys = rows.map(({ key }) => key);
  const isInOrder = keys.every((key, at) => at === 0 || key === (keys[at - 1] ?? NaN) + 1);
  return { first: rows[0]?.text, last: rows.at(-1)?.text, count: rows.length, isInOrder };
}

describe('the window of the history', () => {
  it('the window grows at both ends, and tells whether more messages exist there', () => {
    const middle = openWindow(page(100, 200, true), false);
    expect(middle).toMatchObject({ hasOlder: true, hasNewer: true, next: 'e.199' });
    const older = withOlder(middle, page(0, 100, false));
    expect(older).toMatchObject({ hasOlder: false, hasNewer: true, next: 'e.199' });
    const all = withNewer(older, page(200, 250, false));
    expect(all).toMatchObject({ hasOlder: false, hasNewer: false, next: 'e.249' });
    expect(span(all)).toEqual({ first: '0', last: '249', count: 250, isInOrder: true });
  });

  it('a full window that grows towards the oldest message drops the newest, and can load them again', () => {
    let window = openWindow(page(5_000, 6_000, false), false);
    for (const from of [4_000, 3_000]) window = withOlder(window, page(from, from + 1_000, true));
    expect(span(window)).toEqual({ first: '3000', last: '4999', count: windowMax, isInOrder: true });
    expect(window).toMatchObject({ hasOlder: true, hasNewer: true, next: 'e.4999' });
  });

  it('a full window that grows towards the newest message drops the oldest', () => {
    let window = openWindow(page(0, 1_000, true), true);
    expect(window.hasOlder).toBe(false);
    for (const from of [1_000, 2_000]) window = withNewer(window, page(from, from + 1_000, from < 2_000));
    expect(span(window)).toEqual({ first: '1000', last: '2999', count: windowMax, isInOrder: true });
    expect(window).toMatchObject({ hasOlder: true, hasNewer: false, next: 'e.2999' });
  });
});
