// @ts-check
// Goes into a server with `node --expose-gc --import`, and tells its parent, whenever that sends something,
// what the heap and its buffers have once what nobody holds is gone, and how long the event loop was held
// since the time before, in milliseconds.
import { openThreadTime } from './thread-time.mjs';

const threadTimeMs = openThreadTime();
let lastMs = threadTimeMs();
/** @type {number[]} */
let heldMs = [];

// A turn of the event loop, with all that was done in it.
setInterval(() => {
  const nowMs = threadTimeMs();
  heldMs.push(nowMs - lastMs);
  lastMs = nowMs;
}, 1).unref();

process.on('message', () => {
  heldMs.sort((a, b) => a - b);
  const told = {
    heldMaxMs: heldMs.at(-1) ?? 0,
    heldP999Ms: heldMs[Math.floor(heldMs.length * 0.999)] ?? 0,
    rssBytes: process.memoryUsage().rss,
    heapBytes: 0,
    bufferBytes: 0,
  };
  globalThis.gc?.();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  told.heapBytes = heapUsed;
  told.bufferBytes = arrayBuffers;
  process.send?.(told);
  // Of that the collection is no part.
  lastMs = threadTimeMs();
  heldMs = [];
});
process.channel?.unref();
