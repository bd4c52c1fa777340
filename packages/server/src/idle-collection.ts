import { performance } from 'node:perf_hooks';
import { getHeapSpaceStatistics } from 'node:v8';

/** How often it is looked whether now is the time. V8's measure of what was made lately is over five seconds. */
const lookEveryMs = 6_000;

/** Fewer clients than this leave too little behind. */
const clientsMin = 100;

/** The share of clients that has to have come or gone. */
const clientsShare = 0.05;

/** The share of an interval in which a server that counts as idle may be busy. */
const busyShareMax = 0.2;

/** V8 shrinks the room for new objects in a collection only when few were made lately: a later one may do it. */
const collectionsMax = 4;

/** The room for new objects that an idle server may keep. */
const newSpaceBytesMax = 4 * 1_048_576;

/** V8 begins to collect, in small steps, when this much more outside its heap hangs on objects in it: 64 MiB, and some. */
const pressureBytes = 72 * 1_048_576;

/**
 * Returns memory to the system once many clients have come or gone and the server is idle. V8 collects what it
 * has kept for a while only when more is allocated, so without this a server on which all is quiet would keep
 * what was left by its clients' connecting, and the room that it took to serve them all at once.
 *
 * @returns what ends it
 */
export function collectWhenIdle(countClients: () => number, everyMs: number = lookEveryMs): () => void {
  let clients = countClients();
  let clientsCollected = clients;
  let collections = collectionsMax;
  let since = performance.eventLoopUtilization();
  const timer = setInterval(() => {
    const { utilization } = performance.eventLoopUtilization(since);
    since = performance.eventLoopUtilization();
    const isSettled = !differ(clients, (clients = countClients()));
    if (!isSettled || utilization > busyShareMax) return;
    if (differ(clientsCollected, clients)) {
      clientsCollected = clients;
      collections = 0;
    } else if (collections === collectionsMax || newSpaceBytes() <= newSpaceBytesMax) {
      collections = collectionsMax;
      return;
    }
    collections++;
    askForCollection();
  }, everyMs);
  timer.unref();
  return () => clearInterval(timer);
}

function differ(one: number, other: number): boolean {
  return Math.abs(one - other) >= Math.max(clientsMin, clientsShare * Math.max(one, other));
}

function newSpaceBytes(): number {
  return getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space')?.space_size ?? 0;
}

/** Nobody writes to the buffer, so it never takes memory; V8 counts it all the same. */
function askForCollection(): void {
  try {
    void new ArrayBuffer(pressureBytes);
  } catch {
    // A system that does not give out so much address space: all stays as it is.
  }
}
