import { expect, test } from 'vitest';
import { FlushSchedule } from '../src/flush-schedule.ts';

/** How many connections are flushed in each turn of the event loop, until none waits. */
async function turnsOf(flushed: readonly unknown[], count: number): Promise<number[]> {
  const turns: number[] = [];
  let before = 0;
  while (before < count) {
    await new Promise((resolve) => setImmediate(resolve));
    if (flushed.length > before) turns.push(flushed.length - before);
    before = flushed.length;
  }
  return turns;
}

test('the schedule yields after 512 connections, and flushes them in their order', async () => {
  const schedule = new FlushSchedule();
  const flushed: number[] = [];
  for (let i = 0; i < 1_200; i++) schedule.add({ flush: () => flushed.push(i) && 100 });
  expect(await turnsOf(flushed, 1_200)).toEqual([512, 512, 176]);
  expect(flushed).toEqual(Array.from({ length: 1_200 }, (_, i) => i));
});

test('the schedule yields after 16 MiB', async () => {
  const schedule = new FlushSchedule();
  const flushed: number[] = [];
  for (let i = 0; i < 40; i++) schedule.add({ flush: () => flushed.push(i) && 1_048_576 });
  expect(await turnsOf(flushed, 40)).toEqual([16, 16, 8]);
});

test('a connection that is added while others are flushed is flushed too', async () => {
  const schedule = new FlushSchedule();
  const flushed: string[] = [];
  const second = { flush: () => flushed.push('second') };
  schedule.add({
    flush: () => {
      schedule.add(second);
      return flushed.push('first');
    },
  });
  await turnsOf(flushed, 2);
  schedule.add({ flush: () => flushed.push('third') });
  await turnsOf(flushed, 3);
  expect(flushed).toEqual(['first', 'second', 'third']);
});
