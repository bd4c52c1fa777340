// @ts-check
// Runs in a server with `node --expose-gc --import`. When the parent sends a message, it reports the size of
// the heap and buffers after garbage collection, and the longest turns of the event loop since the last
// report, in milliseconds.
import { openThreadTime } from './thread-time.mjs';

const threadTimeMs = openThreadTime();
let lastMs = threadTimeMs();
/** @type {number[]} */
let heldMs = [];

// One turn of the event loop with all its work.
setInterval(() => {
  const nowMs = threadTimeMs();
  heldMs.push(nowMs - lastMs);
  lastMs = nowMs;
}, 1).unref();

process.on('message', (question) => {
  if (question === 'are you there?') {
    process.send?.('yes');
    return;
  }
  heldMs.sort((a, b) => a - b);
  const told = {
    heldMaxMs: heldMs.at(-1) ?? 0,
    heldP999Ms: heldMs[Math.floor(heldMs.length * 0.999)] ?? 0,
    rssBytes: process.memoryUsage().rss,
    heapBytes: 0,
    bufferBytes: 0,
  };
  // The first collection leaves buffers behind whose memory V8 frees beside the program.
  globalThis.gc?.();
  globalThis.gc?.();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  told.heapBytes = heapUsed;
  told.bufferBytes = arrayBuffers;
  process.send?.(told);
  // The garbage collection does not count as a turn.
  lastMs = threadTimeMs();
  heldMs = [];
});
process.channel?.unref();
