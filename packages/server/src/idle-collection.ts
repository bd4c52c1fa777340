import { performance } from 'node:perf_hooks';
import { getHeapSpaceStatistics } from 'node:v8';

/** How often the state is checked. V8 measures recent allocations over five seconds. */
const checkMs = 6_000;

/** Fewer clients than this leave too little garbage for a collection. */
const clientsMin = 100;

/** The share of clients that must have connected or disconnected. */
const clientsShare = 0.05;

/** A server counts as idle if its event loop was busy for less than this share of the interval. */
const busyShareMax = 0.2;

/**
 * V8 shrinks the new space only in a collection after few recent allocations, so it may take several
 * collections.
 */
const collectionsMax = 4;

/** The new space that an idle server may keep. */
const newSpaceBytesMax = 4 * 1_048_576;

/**
 * V8 starts an incremental collection when objects hold this much more memory outside its heap: 64 MiB and a
 * margin.
 */
const pressureBytes = 72 * 1_048_576;

/**
 * Collects garbage when many clients have connected or disconnected and the server is idle. This returns
 * memory to the system. V8 collects old objects only when more memory is allocated. So an idle server would
 * keep the garbage of its clients' handshakes, and the heap that it needed for all of them at once.
 *
 * @returns a function that stops it
 */
export function collectWhenIdle(countClients: () => number, everyMs: number = checkMs): () => void {
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

/** Allocates a buffer that is never written to, so it takes no memory; V8 counts it nevertheless. */
function askForCollection(): void {
  try {
    void new ArrayBuffer(pressureBytes);
  } catch {
    // If the system limits the address space, this allocation can fail. Then there is no collection.
  }
}
