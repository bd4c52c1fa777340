import { describe, expect, it } from 'vitest';
import { rowFilter, MessageTail } from '../src/message-tail.ts';

function message(text: unknown): { topic: string; message: unknown; time: number } {
  return { topic: 'news', message: text, time: 0 };
}

function textsOf(tail: MessageTail): readonly string[] {
  return tail.paint().rows.map(({ text }) => text);
}

describe('the message tail', () => {
  it('the tail has the newest rows, oldest first', () => {
    const tail = new MessageTail(3);
    for (const n of [1, 2, 3, 4, 5]) tail.push(message(n));
    expect(textsOf(tail)).toEqual(['3', '4', '5']);
    tail.push(message(6));
    expect(textsOf(tail)).toEqual(['4', '5', '6']);
  });

  it('only rows that were dropped before they were painted count as skipped', () => {
    const tail = new MessageTail(3);
    for (const n of [1, 2, 3]) tail.push(message(n));
    tail.paint();
    for (const n of [4, 5, 6]) tail.push(message(n));
    expect(tail.paint().skipped).toBe(0);
    for (const n of [7, 8, 9, 10, 11]) tail.push(message(n));
    expect(tail.paint()).toMatchObject({ skipped: 2, skippedInPause: 0 });
  });

  it('rows that were skipped during a pause are counted separately', () => {
    const tail = new MessageTail(2);
    tail.isPaused = true;
    for (const n of [1, 2, 3]) tail.push(message(n));
    tail.isPaused = false;
    for (const n of [4, 5]) tail.push(message(n));
    expect(tail.paint()).toMatchObject({ skipped: 2, skippedInPause: 1 });
  });

  it('the tail counts the rows that wait to be painted', () => {
    const tail = new MessageTail(2);
    for (const n of [1, 2, 3]) tail.push(message(n));
    expect(tail.waiting).toBe(3);
    tail.paint();
    expect(tail.waiting).toBe(0);
    expect(tail.total).toBe(3);
  });

  it('the tail is bounded in characters too, but always has the newest row', () => {
    const tail = new MessageTail(100, 20);
    for (const n of [1, 2, 3]) tail.push(message(`${n}23456`));
    expect(textsOf(tail)).toEqual(['"223456"', '"323456"']);
    tail.push(message('x'.repeat(50)));
    expect(textsOf(tail)).toHaveLength(1);
  });

  it('the tail holds no dropped rows in memory, however many arrive', () => {
    const tail = new MessageTail(10);
    for (let n = 0; n < 100_000; n++) tail.push(message(n));
    expect(textsOf(tail)).toEqual(Array.from({ length: 10 }, (_, at) => String(99_990 + at)));
    expect(tail.paint().skipped).toBe(99_990);
  });

  it('a gap is a row between messages', () => {
    const tail = new MessageTail();
    tail.push(message(1));
    tail.pushGap('something is missing');
    tail.push(message(2));
    expect(tail.paint().rows.map(({ kind }) => kind)).toEqual(['message', 'gap', 'message']);
  });

  it('later rows do not change a view that was painted', () => {
    const tail = new MessageTail(2);
    tail.push(message(1));
    const { rows } = tail.paint();
    tail.push(message(2));
    tail.push(message(3));
    expect(rows.map(({ text }) => text)).toEqual(['1']);
  });
});

it('the filter searches for its text literally, and ignores case', () => {
  const tail = new MessageTail();
  tail.push(message({ name: 'A+B (c)' }));
  tail.push({ ...message('x'), publisher: 'ann' });
  const { rows } = tail.paint();
  const found = (wanted: string): number => rows.filter(rowFilter(wanted)).length;
  expect(['a+b (', '[', 'ANN', 'news', '', 'a.b'].map(found)).toEqual([1, 0, 1, 2, 2, 0]);
});
