import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Backlog } from '../src/backlog.ts';

class FakeConnection {
  takenBytes = 0;
  stalls = 0;

  stalled(): void {
    this.stalls++;
  }
}

let backlog: Backlog;

beforeEach(() => {
  vi.useFakeTimers();
  backlog = new Backlog({ outboxTotalBytesMax: 1_000, stallTimeoutMs: 400 });
});

afterEach(() => {
  vi.useRealTimers();
});

test('counts what waits for all connections', () => {
  const [first, second] = [new FakeConnection(), new FakeConnection()];
  backlog.set(first, 600);
  backlog.set(second, 300);
  expect(backlog.hasRoom(100)).toBe(true);
  expect(backlog.hasRoom(101)).toBe(false);
  backlog.set(first, 100);
  expect(backlog.hasRoom(600)).toBe(true);
  backlog.set(first, 0);
  backlog.set(second, 0);
  expect(backlog.hasRoom(1_000)).toBe(true);
  expect(vi.getTimerCount()).toBe(0);
});

test('tells a connection that takes nothing for the stall limit, and no other', () => {
  const [stuck, slow] = [new FakeConnection(), new FakeConnection()];
  backlog.set(stuck, 10);
  backlog.set(slow, 10);
  for (let time = 0; time < 2_000; time += 100) {
    if (time % 300 === 0) slow.takenBytes++;
    vi.advanceTimersByTime(100);
    expect(stuck.stalls > 0).toBe(time + 100 >= 400);
  }
  expect(slow.stalls).toBe(0);
});

test('gives a connection that was emptied the whole time anew', () => {
  const connection = new FakeConnection();
  backlog.set(connection, 10);
  vi.advanceTimersByTime(300);
  backlog.set(connection, 0);
  backlog.set(connection, 10);
  vi.advanceTimersByTime(300);
  expect(connection.stalls).toBe(0);
  vi.advanceTimersByTime(100);
  expect(connection.stalls).toBe(1);
});
