// Goes into a server with `node --import`: measures how late its event loop is. Whoever connects to the socket that
// FANFARE_BENCH_LOOP names is told of the delays since the one before, in milliseconds, and they begin anew.
import { openSync, readSync } from 'node:fs';
import { createServer } from 'node:net';
import { percentile } from '../load/latencies.ts';

/** It is asked for a turn so often, and what comes on top is the delay. */
const intervalMs = 5;
const path = process.env['FANFARE_BENCH_LOOP'];

if (path !== undefined) {
  const readWaitedMs = openWaited();
  let delaysMs = [0];
  /** Without the time in which other processes had the processor. */
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

/** @returns what says for how long the main thread was ready to run, and did not, in milliseconds */
function openWaited(): () => number {
  if (process.platform !== 'linux') return () => 0;
  const file = openSync(`/proc/self/task/${process.pid}/schedstat`, 'r');
  const text = Buffer.alloc(100);
  return () =>
    Number(text.toString('latin1', 0, readSync(file, text, 0, text.length, 0)).split(' ')[1]) / 1e6;
}
