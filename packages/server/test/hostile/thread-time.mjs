// @ts-check
import { openSync, readSync } from 'node:fs';

/**
 * @returns {() => number} for how many milliseconds the main thread has run; where the system does not say,
 * how many have passed. On a busy machine the second is much more, and says nothing of what was done.
 */
export function openThreadTime() {
  if (process.platform !== 'linux') return () => performance.now();
  const file = openSync(`/proc/self/task/${process.pid}/schedstat`, 'r');
  const text = Buffer.alloc(100);
  return () =>
    Number(text.toString('latin1', 0, readSync(file, text, 0, text.length, 0)).split(' ', 1)[0]) / 1e6;
}
