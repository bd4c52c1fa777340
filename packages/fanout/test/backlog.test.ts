import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Backlog } from '../src/outbox/backlog.ts';

class FakeConnection {
  progress = 0;
  ends = 0;

  end(): void {
    this.ends++;
  }
}

let backlog: Backlog;
let sharedBytes: number;

beforeEach(() => {
  vi.useFakeTimers();
  sharedBytes = 0;
  backlog = new Backlog({ outboxTotalBytesMax: 1_000, stallTimeoutMs: 400, sharedBytes: () => sharedBytes });
});

afterEach(() => {
  vi.useRealTimers();
});

test('the backlog counts the bytes that wait for all connections', () => {
  const [first, second] = [new FakeConnection(), new FakeConnection()];
  backlog.set(first, 600, 600);
  backlog.set(second, 300, 300);
  expect(backlog.fits(100)).toBe(true);
  expect(backlog.fits(101)).toBe(false);
  backlog.set(first, 100, 100);
  expect(backlog.fits(600)).toBe(true);
  backlog.delete(first);
  backlog.delete(second);
  expect(backlog.fits(1_000)).toBe(true);
  expect(vi.getTimerCount()).toBe(0);
});

test('the backlog counts shared bytes once, and not once for each connection that waits for them', () => {
  backlog.set(new FakeConnection(), 900, 100);
  backlog.set(new FakeConnection(), 900, 100);
  sharedBytes = 800;
  expect(backlog.fits(0)).toBe(true);
  expect(backlog.fits(1)).toBe(false);
});

test('the backlog evicts as many connections as needed, first those that have taken nothing for longest', () => {
  const [slow, stuck, other] = [new FakeConnection(), new FakeConnection(), new FakeConnection()];
  for (const connection of [slow, stuck, other]) backlog.set(connection, 300, 300);
  for (const connection of [slow, other]) connection.progress++;
  vi.advanceTimersByTime(100);
  backlog.evictFor(100);
  expect([slow.ends, stuck.ends, other.ends]).toEqual([0, 0, 0]);
  backlog.evictFor(200);
  expect([slow.ends, stuck.ends, other.ends]).toEqual([0, 1, 0]);
  backlog.evictFor(600);
  expect([slow.ends, stuck.ends, other.ends]).toEqual([1, 2, 0]);
});

test('the backlog ends a connection that takes nothing for the stall limit, and no other', () => {
  const [stuck, slow] = [new FakeConnection(), new FakeConnection()];
  backlog.set(stuck, 10, 10);
  backlog.set(slow, 10, 10);
  for (let time = 0; time < 2_000; time += 100) {
    if (time % 300 === 0) slow.progress++;
    vi.advanceTimersByTime(100);
    expect(stuck.ends > 0).toBe(time + 100 >= 400);
  }
  expect(slow.ends).toBe(0);
});

test('a connection that was drained gets the whole stall limit again', () => {
  const connection = new FakeConnection();
  backlog.set(connection, 10, 10);
  vi.advanceTimersByTime(300);
  backlog.delete(connection);
  backlog.set(connection, 10, 10);
  vi.advanceTimersByTime(300);
  expect(connection.ends).toBe(0);
  vi.advanceTimersByTime(100);
  expect(connection.ends).toBe(1);
});
