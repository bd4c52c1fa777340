import type { Values } from './constants.ts';
import {
  audienceOf,
  logDemand,
  nodeDemand,
  wantedShare,
  type Layout,
  type LogDemand,
  type NodeDemand,
} from './demand.ts';
import type { Hardware, Workload } from './workload.ts';

/** Everything about a workload on a number of logs. */
export interface Plan {
  readonly layout: Layout;
  readonly needed: NodesNeeded;
  readonly log: LogDemand;
  readonly node: NodeDemand;
  /** From the fullest part. 1 is as full as it may be. */
  readonly parts: readonly Part[];
}

/** A part that more nodes do not relieve. */
export interface Part {
  readonly name: PartName;
  readonly fullness: number;
}

export type PartName = 'Redis CPU' | 'Redis memory' | 'Redis network' | 'following';

/**
 * Plans for a workload: as many nodes as it needs. If no number is enough, because each node would have to
 * follow too much, the plan has as many as the clients would need.
 */
export function plan(workload: Workload, logs: Omit<Layout, 'nodes'>, hardware: Hardware, v: Values): Plan {
  const needed = nodesNeeded(workload, logs, hardware, v);
  const nodes = Number.isFinite(needed.nodes) ? needed.nodes : nodesForClients(workload, logs, hardware, v);
  const layout = { ...logs, nodes };
  const log = logDemand(workload, layout, v);
  const node = nodeDemand(workload, layout, v);
  return { layout, needed, log, node, parts: partsOf(log, node, hardware) };
}

function partsOf(log: LogDemand, node: NodeDemand, hardware: Hardware): readonly Part[] {
  const { cpuMax, memoryMax, networkMax, redisMemoryBytes, redisBitsPerSecond } = hardware;
  const parts: Part[] = [
    { name: 'Redis CPU', fullness: log.cpu / cpuMax },
    { name: 'Redis memory', fullness: log.memoryBytes / (redisMemoryBytes * memoryMax) },
    { name: 'Redis network', fullness: (log.bytesOutPerSecond * 8) / (redisBitsPerSecond * networkMax) },
    { name: 'following', fullness: node.fixedCpu / cpuMax },
  ];
  return parts.toSorted((one, other) => other.fullness - one.fullness);
}

/** The nodes for everything but following. */
function nodesForClients(
  workload: Workload,
  logs: Omit<Layout, 'nodes'>,
  hardware: Hardware,
  v: Values,
): number {
  const freely = { ...v, nodeFrameUs: 0, nodeMessageUs: 0, nodeMessageKibUs: 0, nodeEncodeUs: 0 };
  const { byCpu, byMemory } = nodesNeeded(workload, logs, hardware, freely);
  return Math.min(nodesMax, Math.max(byCpu, byMemory) + 1);
}

const clientsMax = 1e9;

/** With how many clients the first part is full, and which part that is. Undefined: with none that counts. */
export function firstFull(
  workloadOf: (clients: number) => Workload,
  logs: Omit<Layout, 'nodes'>,
  hardware: Hardware,
  v: Values,
): { readonly clients: number; readonly part: PartName } | undefined {
  const fullest = (clients: number): Part => {
    const [first] = plan(workloadOf(clients), logs, hardware, v).parts;
    if (!first) throw new Error('A plan has parts.');
    return first;
  };
  if (fullest(clientsMax).fullness <= 1) return undefined;
  let [fits, full] = [1, clientsMax];
  while (full / fits > 1.001) {
    const middle = Math.sqrt(fits * full);
    if (fullest(middle).fullness > 1) full = middle;
    else fits = middle;
  }
  return { clients: fits, part: fullest(full).name };
}

/**
 * How many messages a frame must have so that Redis is not too busy. A node that waits for so many delays
 * acknowledgements by `delayMs`. Undefined: a frame cannot have so many.
 */
export function frameSizeNeeded(
  workload: Workload,
  layout: Layout,
  hardware: Hardware,
  v: Values,
): { readonly messages: number; readonly delayMs: number } | undefined {
  const cpuWith = (messages: number): number =>
    logDemand({ ...workload, batchMessages: messages }, layout, v).cpu;
  for (let messages = workload.batchMessages; messages <= frameMessagesMax; messages++) {
    if (cpuWith(messages) > hardware.cpuMax) continue;
    const isUsual = messages === workload.batchMessages;
    const delayMs = isUsual ? 0 : (messages * layout.nodes * 1e3) / workload.publishesPerSecond;
    return { messages, delayMs };
  }
  return undefined;
}

/** The limit of the pipeline of a node. */
const frameMessagesMax = 256;

/** Medians without a storm. Infinity: the part is too busy, and its queue grows. */
export function latencyMs(
  workload: Workload,
  { layout, log, node }: Plan,
  { networkMs }: Hardware,
  v: Values,
): { readonly acknowledgement: number; readonly lastDelivery: number } {
  const { batchMessages, publishesPerSecond } = workload;
  const frames = publishesPerSecond / batchMessages;
  // One server, one queue, jobs of the same length (M/D/1).
  const waitMs = (busy: number, jobMs: number): number =>
    busy >= 1 ? Infinity : (jobMs * busy) / (2 * (1 - busy));
  const redisMs = waitMs(log.cpu, (log.cpu * 1e3) / (frames / layout.logs));
  const receivers = audienceOf(workload) / (layout.nodes * wantedShare(workload, layout.nodes));
  const fanOutMs = (receivers * (v.nodeWriteUs + batchMessages * v.nodeDeliverUs)) / 1e3;
  const nodeMs = waitMs(node.cpu, fanOutMs);
  return {
    // The publisher and its node, the node and Redis.
    acknowledgement: v.ackMs + 2 * networkMs + redisMs + nodeMs,
    lastDelivery: v.deliveryMs + 2 * networkMs + redisMs + 2 * nodeMs + fanOutMs,
  };
}

/** How many nodes are enough for each of the three resources, and at all. */
export interface NodesNeeded {
  readonly byCpu: number;
  readonly byMemory: number;
  readonly byNetwork: number;
  /** One more, because one may fail. */
  readonly nodes: number;
}

const nodesMax = 2 ** 20;

/** Infinity: no number of nodes is enough, because each has to follow too much. */
export function nodesNeeded(
  workload: Workload,
  layout: Omit<Layout, 'nodes'>,
  hardware: Hardware,
  v: Values,
): NodesNeeded {
  const { coresPerMachine, machineMemoryBytes, machineBitsPerSecond } = hardware;
  const least = (isEnough: (demand: NodeDemand) => boolean): number =>
    leastNodes((nodes) => isEnough(nodeDemand(workload, { ...layout, nodes }, v)));
  const memoryMax = (machineMemoryBytes * hardware.memoryMax) / coresPerMachine;
  const bytesMax = (machineBitsPerSecond * hardware.networkMax) / 8 / coresPerMachine;
  const byCpu = least(({ cpu }) => cpu <= hardware.cpuMax);
  const byMemory = least(({ memoryBytes }) => memoryBytes <= memoryMax);
  const byNetwork = least(
    ({ bytesInPerSecond, bytesOutPerSecond }) => Math.max(bytesInPerSecond, bytesOutPerSecond) <= bytesMax,
  );
  return { byCpu, byMemory, byNetwork, nodes: Math.max(byCpu, byMemory, byNetwork) + 1 };
}

/** By bisection: more nodes never have more to do each. */
function leastNodes(isEnough: (nodes: number) => boolean): number {
  if (!isEnough(nodesMax)) return Infinity;
  let [tooFew, enough] = [0, nodesMax];
  while (enough - tooFew > 1) {
    const middle = Math.floor((tooFew + enough) / 2);
    if (isEnough(middle)) enough = middle;
    else tooFew = middle;
  }
  return enough;
}
