// @ts-check
import { openSync, readSync } from 'node:fs';

/**
 * @returns {() => number} the milliseconds for which the main thread has run; if the system does not report
 * them, the elapsed time. On a busy machine the elapsed time is much longer, and does not measure the work.
 */
export function openThreadTime() {
  if (process.platform !== 'linux') return () => performance.now();
  const file = openSync(`/proc/self/task/${process.pid}/schedstat`, 'r');
  const text = Buffer.alloc(100);
  return () =>
    Number(text.toString('latin1', 0, readSync(file, text, 0, text.length, 0)).split(' ', 1)[0]) / 1e6;
}

/**
 * Blocks the event loop for a number of milliseconds of its own time, however busy the machine is.
 *
 * @param {number} ms
 */
export function holdLoop(ms) {
  const threadTimeMs = openThreadTime();
  for (const end = threadTimeMs() + ms; threadTimeMs() < end;);
}
