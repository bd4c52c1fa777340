// Loaded into a server with `node --import`: measures its event-loop delay. A program that connects to the
// socket that FANFARE_BENCH_LOOP names gets the delays since the last request, in milliseconds, and the
// measurement restarts.
import { openSync, readSync } from 'node:fs';
import { createServer } from 'node:net';
import { percentile } from '../load/latencies.ts';

/** The interval of the timer. The time by which a call is later is the delay. */
const intervalMs = 5;
const path = process.env['FANFARE_BENCH_LOOP'];

if (path !== undefined) {
  const readWaitedMs = openWaited();
  let delaysMs = [0];
  /** Without the time in which other processes used the processor. */
  let ownDelaysMs = [0];
  let lastMs = performance.now();
  let lastWaitedMs = readWaitedMs();
  setInterval(() => {
    const [nowMs, waitedMs] = [performance.now(), readWaitedMs()];
    const delayMs = Math.max(0, nowMs - lastMs - intervalMs);
    delaysMs.push(delayMs);
    ownDelaysMs.push(Math.max(0, delayMs - (waitedMs - lastWaitedMs)));
    [lastMs, lastWaitedMs] = [nowMs, waitedMs];
  }, intervalMs).unref();
  createServer((socket) => {
    const delay = {
      p99Ms: percentile(delaysMs, 99),
      maxMs: percentile(delaysMs, 100),
      ownMaxMs: percentile(ownDelaysMs, 100),
    };
    socket.end(JSON.stringify(delay));
    delaysMs = [0];
    ownDelaysMs = [0];
  })
    .listen(path)
    .unref();
}

/**
 * @returns a function that reports how long the main thread was ready to run but did not run, in milliseconds
 */
function openWaited(): () => number {
  if (process.platform !== 'linux') return () => 0;
  const file = openSync(`/proc/self/task/${process.pid}/schedstat`, 'r');
  const text = Buffer.alloc(100);
  return () =>
    Number(text.toString('latin1', 0, readSync(file, text, 0, text.length, 0)).split(' ')[1]) / 1e6;
}
