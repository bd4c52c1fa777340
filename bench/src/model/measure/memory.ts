import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { readResidentKib } from '../../load/cpu-time.ts';
import { Audience, webSocketTo } from '../load.ts';
import { cpuUsOf, startNodes, type Nodes } from '../nodes.ts';
import type { Measurement, Sample } from './sample.ts';

const clients = 2_500;
const many = 10;
/** Idle nodes collect their garbage in this time. */
const settleMs = 30_000;
/** More than an interval of Engine.IO's pings. */
const pingMs = 26_000;

/** One kind of client for each node. */
const topicsOf: readonly ((client: number) => readonly string[])[] = [
  () => ['shared'],
  () => Array.from({ length: many }, (_, at) => `shared-${at}`),
  (client) => Array.from({ length: many }, (_, at) => `own-${client}-${at}`),
];

/** The memory of clients and their subscriptions, and what clients cost that do nothing. */
export const memory: Measurement = {
  name: 'memory',
  run: async (processes): Promise<Sample> => {
    const nodes = await startNodes(processes, topicsOf.length);
    const audience = new Audience();
    try {
      await sleep(settleMs / 3);
      const empty = await memoryOf(nodes);
      const emptyUs = await cpuUsOf(nodes.all, () => sleep(pingMs));
      for (const [at, { port }] of nodes.all.entries()) {
        await audience.grow(webSocketTo(port), clients, (client, index) =>
          client.subscribe(topicsOf[at]?.(index) ?? []),
        );
      }
      await sleep(settleMs);
      const full = await memoryOf(nodes);
      const idleUs = await cpuUsOf(nodes.all, () => sleep(pingMs));
      const [one = 0, shared = 0, own = 0] = full.nodes.map(
        (bytes, at) => (bytes - (empty.nodes[at] ?? Number.NaN)) / clients,
      );
      const subscription = (shared - one) / (many - 1);
      const addedUs = idleUs.reduce((sum, us, at) => sum + us - (emptyUs[at] ?? Number.NaN), 0);
      return {
        nodeBytes: Math.min(...empty.nodes),
        nodeConnectionBytes: one - subscription,
        nodeSubscriptionBytes: subscription,
        nodeTopicBytes: (own - shared) / many,
        // Both ends of each connection are on this machine.
        kernelConnectionBytes: (full.kernel - empty.kernel) / (2 * clients * topicsOf.length),
        redisTopicBytes: (full.redis - empty.redis) / (many * clients),
        nodeConnectionUsPerSecond: addedUs / (clients * topicsOf.length) / (pingMs / 1e3),
      };
    } finally {
      audience.close();
      await nodes.stop();
    }
  },
};

/** Of each node, of Redis, and of the kernel, in bytes. */
async function memoryOf({
  admin,
  all,
}: Nodes): Promise<{ readonly nodes: readonly number[]; readonly redis: number; readonly kernel: number }> {
  const { bytesUsed } = await admin.counters();
  const slabKib = /^Slab:\s+(\d+) kB$/m.exec(readFileSync('/proc/meminfo', 'latin1'))?.[1];
  return {
    nodes: all.map(({ pid }) => (readResidentKib(pid) ?? Number.NaN) * 1_024),
    redis: bytesUsed,
    kernel: Number(slabKib) * 1_024,
  };
}
