import { onTestFinished, TestRunner } from 'vitest';

const left = new Set<() => unknown>();

// A worker that vitest ends, or that fails between tests, leaves no process and no network behind.
process.once('exit', () => left.forEach((action) => void action()));

/**
 * Runs an action when the test ends, also when it fails. Outside of a test (`beforeAll`), it runs when the
 * worker ends: the caller ends earlier what the tests of a file share.
 *
 * @param action - what it does must be harmless when it was done before. Only its synchronous part runs when
 *   the worker ends.
 */
export function atEnd(action: () => unknown): void {
  left.add(action);
  if (TestRunner.getCurrentTest() === undefined) return;
  onTestFinished(async () => {
    left.delete(action);
    await action();
  });
}
