import { expect, test } from 'vitest';
import { Pacer } from '../../src/limits/pacer.ts';

test('a pacer is due once its loop has run for 2 ms, and again 2 ms after it has yielded', async () => {
  let now = 100;
  const pacer = new Pacer(() => now);
  now = 101.9;
  expect(pacer.isDue).toBe(false);
  now = 102;
  expect(pacer.isDue).toBe(true);
  await pacer.yield();
  expect(pacer.isDue).toBe(false);
  now = 104;
  expect(pacer.isDue).toBe(true);
});

test('while a pacer yields, a callback that waits for the event loop is called', async () => {
  let isCalled = false;
  setImmediate(() => (isCalled = true));
  await new Pacer().yield();
  expect(isCalled).toBe(true);
});
