import { expect, test } from 'vitest';
import { until } from '../../../test/waits.ts';
import { FlushSchedule } from '../src/outbox/flush-schedule.ts';

/** How many connections are flushed in each turn of the event loop, until none waits. */
async function turnsOf(flushed: readonly unknown[], count: number): Promise<number[]> {
  const turns: number[] = [];
  let before = 0;
  await until(`${count} are flushed`, () => before >= count, {
    step: async () => {
      await new Promise((resolve) => setImmediate(resolve));
      if (flushed.length > before) turns.push(flushed.length - before);
      before = flushed.length;
    },
    soFar: () => turns,
  });
  return turns;
}

/** @returns the turn, counted from 0, in which a connection with a frame is flushed */
async function flushTurn(
  /** The turns that bring one more frame. */
  busyTurns: readonly number[],
  clock: (turn: number) => number = () => 0,
): Promise<number> {
  let turn = 0;
  let flushedIn: number | undefined;
  const schedule = new FlushSchedule(() => clock(turn));
  schedule.add({ dueBytes: 1, flush: () => (flushedIn = turn) });
  await until('the connection is flushed', () => flushedIn !== undefined, {
    step: async () => {
      if (busyTurns.includes(turn)) schedule.extend();
      await new Promise((resolve) => setImmediate(resolve));
      turn++;
    },
    soFar: () => turn,
  });
  return flushedIn ?? Number.NaN;
}

test('frames are held until two turns have brought no more of them', async () => {
  expect(await flushTurn([])).toBe(2);
  expect(await flushTurn([1])).toBe(3);
  expect(await flushTurn([1, 2])).toBe(4);
  expect(await flushTurn([2])).toBe(4);
});

test('a frame of a connection that had none holds the others too', async () => {
  const schedule = new FlushSchedule(() => 0);
  const flushed: string[] = [];
  const connection = (name: string): { dueBytes: number; flush: () => number } => ({
    dueBytes: 1,
    flush: () => flushed.push(name),
  });
  schedule.add(connection('first'));
  for (const added of ['second', 'third']) {
    await new Promise((resolve) => setImmediate(resolve));
    schedule.add(connection(added));
  }
  const turns = await turnsOf(flushed, 3);
  expect([turns, flushed]).toEqual([[3], ['first', 'second', 'third']]);
});

test('frames are held for at most a millisecond, even if every turn brings more', async () => {
  const everyTurn = [...Array(50).keys()];
  expect(await flushTurn(everyTurn, (turn) => 100 + turn * 0.25)).toBe(4);
  expect(await flushTurn(everyTurn, (turn) => 100 + turn * 0.1)).toBe(10);
});

test('what one turn could not write is not held again', async () => {
  let nowMs = 0;
  const schedule = new FlushSchedule(() => nowMs);
  const flushed: number[] = [];
  const due = (i: number): { dueBytes: number; flush: () => number } => ({
    dueBytes: 1,
    flush: () => flushed.push(i),
  });
  for (let i = 0; i < 1_200; i++) schedule.add(due(i));
  nowMs = 1;
  const turns: number[] = [];
  for (let turn = 0; turn < 3; turn++) {
    await new Promise((resolve) => setImmediate(resolve));
    turns.push(flushed.length);
    schedule.extend();
    nowMs = 0;
  }
  expect(turns).toEqual([512, 1_024, 1_200]);
});

test('the schedule yields after 512 connections, and flushes them in their order', async () => {
  const schedule = new FlushSchedule();
  const flushed: number[] = [];
  for (let i = 0; i < 1_200; i++) schedule.add({ dueBytes: 100, flush: () => flushed.push(i) && 100 });
  expect(await turnsOf(flushed, 1_200)).toEqual([512, 512, 176]);
  expect(flushed).toEqual(Array.from({ length: 1_200 }, (_, i) => i));
});

test('the schedule yields after 16 MiB', async () => {
  const schedule = new FlushSchedule();
  const flushed: number[] = [];
  for (let i = 0; i < 40; i++)
    schedule.add({ dueBytes: 1_048_576, flush: () => flushed.push(i) && 1_048_576 });
  expect(await turnsOf(flushed, 40)).toEqual([16, 16, 8]);
});

test('a connection that is added while others are flushed is flushed too', async () => {
  const schedule = new FlushSchedule();
  const flushed: string[] = [];
  const second = { dueBytes: 1, flush: () => flushed.push('second') };
  schedule.add({
    dueBytes: 1,
    flush: () => {
      schedule.add(second);
      return flushed.push('first');
    },
  });
  await turnsOf(flushed, 2);
  schedule.add({ dueBytes: 1, flush: () => flushed.push('third') });
  await turnsOf(flushed, 3);
  expect(flushed).toEqual(['first', 'second', 'third']);
});

test('more may be broadcast at once while a turn can write all that is due', async () => {
  const schedule = new FlushSchedule();
  const flushed: number[] = [];
  for (let i = 0; i < 1_200; i++) schedule.add({ dueBytes: 100, flush: () => flushed.push(i) && 100 });
  await schedule.ready();
  expect(flushed).toEqual([]);
});

test('with more than that due, it waits for what is due now, and not for what becomes due later', async () => {
  const schedule = new FlushSchedule();
  const flushed: number[] = [];
  const due = (i: number): { dueBytes: number; flush: () => number } => ({
    dueBytes: 1_048_576,
    flush: () => {
      flushed.push(i);
      if (i < 500) schedule.add(due(i + 100));
      return 1_048_576;
    },
  });
  for (let i = 0; i < 40; i++) schedule.add(due(i));
  await schedule.ready();
  expect(flushed).toContain(39);
  expect(Math.max(...flushed)).toBeLessThan(200);
});
