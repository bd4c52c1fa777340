import { expect, it } from 'vitest';
import { OperationQueue } from '../../src/log/local/commit/operation-queue.ts';
import { LogBusyError } from '../../src/log/topic-log.ts';

const recordsMax = 256;
const nothing = (): void => {};

/** Adds an operation to a queue. Rejects if it is refused. */
function add(operations: OperationQueue, records: number, bytes: number): Promise<void> {
  return new Promise((resolve, fail) => operations.add({ plan: nothing, resolve, fail, records, bytes }));
}

it('a full queue refuses operations, even those without records', async () => {
  const operations = new OperationQueue();
  const waiting = Array.from({ length: 262_200 }, () =>
    add(operations, 0, 0).catch((error: unknown) => error),
  );
  const refused = await waiting.at(-1);
  expect(refused).toBeInstanceOf(LogBusyError);
  let taken = operations.take(recordsMax).length;
  const first = taken;
  while (!operations.isEmpty) taken += operations.take(recordsMax).length;
  expect(taken).toBeGreaterThan(200_000);
  expect(first).toBe(recordsMax);
});

it('a commit takes no more operations than its limit, but each operation as a whole', () => {
  const operations = new OperationQueue();
  for (let at = 0; at < 10; at++) void add(operations, 1, 2_000_000);
  void add(operations, 10_000, 0);
  void add(operations, 1, 0);
  const sizes = [];
  while (!operations.isEmpty) sizes.push(operations.take(recordsMax).length);
  expect(sizes).toEqual([3, 3, 3, 2, 1]);
});

it('an empty queue takes an operation that is larger than its limit', async () => {
  const operations = new OperationQueue();
  void add(operations, 1, 100_000_000);
  await expect(add(operations, 1, 1)).rejects.toThrow(LogBusyError);
  expect(operations.take(recordsMax)).toHaveLength(1);
  void add(operations, 1, 1);
  expect(operations.take(recordsMax)).toHaveLength(1);
});
