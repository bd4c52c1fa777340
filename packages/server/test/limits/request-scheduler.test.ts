import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { until } from '../../../../test/waits.ts';
import { ReaderState, RequestScheduler, type Reader } from '../../src/limits/request-scheduler.ts';

class FakeReader implements Reader {
  readonly state: ReaderState = new ReaderState();
  heldBytes = 0;
  turns = 0;
  isCut = false;
  goOn(): void {
    this.turns++;
  }
  cut(): void {
    this.isCut = true;
  }
}

const options = {
  perTurnMax: 4,
  servedMax: 2,
  unansweredMax: 10,
  unansweredTotalMax: 20,
  heldBytesMax: 1_000_000,
};

function take(turns: RequestScheduler, reader: Reader, times: number): number {
  let taken = 0;
  for (; taken < times && turns.take(reader, true); taken++) turns.begin(reader);
  return taken;
}

it('a connection that waits for each response is never delayed', () => {
  const turns = new RequestScheduler(options);
  const [busy, good] = [new FakeReader(), new FakeReader()];
  expect(take(turns, busy, 100)).toBe(4);
  turns.hold(busy);
  for (let request = 0; request < 100; request++) {
    expect(turns.take(good, false)).toBe(true);
    turns.begin(good);
    turns.answered(good);
  }
});

it('while others wait, pipelining connections have one request a turn, the longest waiting first', async () => {
  const turns = new RequestScheduler(options);
  const readers = Array.from({ length: 5 }, () => new FakeReader());
  for (const reader of readers) turns.hold(reader);
  const served: number[][] = [];
  for (let turn = 0; turn < 3; turn++) {
    await nextTurn();
    served.push(readers.map((reader) => reader.turns));
  }
  expect(served).toEqual([
    [1, 1, 0, 0, 0],
    [1, 1, 1, 1, 0],
    [1, 1, 1, 1, 1],
  ]);
  // The queue is empty.
  expect(take(turns, readers[0] as FakeReader, 100)).toBe(4);
  turns.hold(readers[0] as FakeReader);
  turns.hold(readers[1] as FakeReader);
  turns.hold(readers[2] as FakeReader);
  await nextTurn();
  const [first, , third] = readers as [FakeReader, FakeReader, FakeReader];
  expect([take(turns, first, 100), take(turns, third, 100)]).toEqual([1, 0]);
});

it('a connection with too many unanswered requests waits for a response', async () => {
  const turns = new RequestScheduler(options);
  const reader = new FakeReader();
  let taken = 0;
  await until('ten requests are taken', () => taken >= 10, {
    step: async () => {
      taken += take(turns, reader, 100);
      await nextTurn();
    },
  });
  expect(taken).toBe(10);
  turns.hold(reader);
  await nextTurn();
  expect(reader.turns).toBe(0);
  turns.answered(reader);
  await nextTurn();
  expect(reader.turns).toBe(1);
});

it('with too many unanswered requests in total, each connection has one at a time, and none waits for ever', async () => {
  const turns = new RequestScheduler({ ...options, perTurnMax: 100 });
  const [first, second, third] = [new FakeReader(), new FakeReader(), new FakeReader()];
  expect([take(turns, first, 100), take(turns, second, 100), take(turns, third, 100)]).toEqual([10, 10, 1]);
  turns.hold(third);
  await nextTurn();
  expect(third.turns).toBe(0);
  turns.answered(third);
  await nextTurn();
  expect([third.turns, take(turns, third, 100)]).toEqual([1, 1]);
  turns.remove(first);
  expect(take(turns, third, 100)).toBe(9);
});

it('the connections that hold the most bytes are closed while all together hold too many', async () => {
  const turns = new RequestScheduler({ ...options, servedMax: 0 });
  const readers = Array.from({ length: 20 }, () => new FakeReader());
  readers.forEach((reader, at) => {
    reader.heldBytes = at * 10_000;
    if (at % 2 === 0) turns.hold(reader);
    else turns.keep(reader);
  });
  await nextTurn();
  // 190 + 180 + ... + 0 thousand are 1,900,000; without the five largest they are 1,050,000, without six
  // 910,000.
  expect(readers.map(({ isCut }) => isCut)).toEqual(readers.map((_reader, at) => at >= 14));
});

it('a connection that does not hold bytes any more is not closed', async () => {
  const turns = new RequestScheduler({ ...options, heldBytesMax: 100 });
  const reader = new FakeReader();
  reader.heldBytes = 1_000;
  turns.keep(reader);
  turns.release(reader);
  await nextTurn();
  expect(reader.isCut).toBe(false);
});
