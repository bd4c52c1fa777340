import type { Values } from './constants.ts';
import { logDemand, nodeDemand, ringSeconds, usedLogs, type Layout } from './demand.ts';
import type { Workload } from './workload.ts';

/** Many clients connect, subscribe and resume at about the same time. */
export interface Storm {
  /** Until all have resumed, in seconds. */
  readonly seconds: number;
  readonly first: 'spread' | 'nodes' | 'Redis';
  /** How long nodes and Redis are busy with it, beside what they do anyway. */
  readonly nodeSeconds: number;
  readonly redisSeconds: number;
  /** Whether clients that resume late find their messages only in Redis. */
  readonly readsRedis: boolean;
}

/**
 * The storm of all clients, on all nodes: as after a load balancer or a network was away. Nodes and Redis
 * have the time that their ordinary work leaves.
 */
export function stormOfAll(workload: Workload, layout: Layout, v: Values): Storm {
  return storm(workload, workload.clients * workload.stormShare, layout, v);
}

/** The storm of the clients of one node that was killed, on the others. */
export function stormOfOneNode(workload: Workload, layout: Layout, v: Values): Storm {
  const left = { ...layout, nodes: Math.max(1, layout.nodes - 1) };
  return storm(workload, workload.clients / layout.nodes, left, v);
}

function storm(workload: Workload, clients: number, layout: Layout, v: Values): Storm {
  const inMemory = stormWith(workload, clients, layout, v, 0);
  const readsRedis = inMemory.seconds > ringSeconds(workload);
  if (!readsRedis) return { ...inMemory, readsRedis };
  const { publishesPerSecond, topics, everyoneShare } = workload;
  // A topic without a message since then has nothing to read.
  const perTopic = ((1 - everyoneShare) * publishesPerSecond) / topics;
  const readShare = Number.isFinite(inMemory.seconds) ? -Math.expm1(-perTopic * inMemory.seconds) : 1;
  return { ...stormWith(workload, clients, layout, v, readShare), readsRedis };
}

/** @param readShare - the share of subscriptions whose messages Redis is asked for */
function stormWith(
  workload: Workload,
  clients: number,
  layout: Layout,
  v: Values,
  readShare: number,
): Omit<Storm, 'readsRedis'> {
  const { subscriptionsPerClient, stormSeconds } = workload;
  const subscriptions = clients * subscriptionsPerClient;
  const nodeUs =
    clients * v.nodeConnectUs +
    subscriptions * (v.nodeSubscribeUs + v.nodeResumeUs + readShare * v.nodeResumeStoredUs);
  const redisUs = subscriptions * (v.redisOpenUs + readShare * v.redisResumeUs);
  const nodeSeconds = secondsOf(nodeUs / layout.nodes, nodeDemand(workload, layout, v).cpu);
  const redisSeconds = secondsOf(
    redisUs / usedLogs(workload, layout.logs),
    logDemand(workload, layout, v).cpu,
  );
  const seconds = Math.max(stormSeconds, nodeSeconds, redisSeconds);
  const first = seconds === stormSeconds ? 'spread' : nodeSeconds >= redisSeconds ? 'nodes' : 'Redis';
  return { seconds, first, nodeSeconds, redisSeconds };
}

/** How long a core takes for extra work that is busy with other work for a share of its time. */
function secondsOf(workUs: number, busy: number): number {
  return busy >= 1 ? Infinity : workUs / 1e6 / (1 - busy);
}
