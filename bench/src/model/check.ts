import { setTimeout as sleep } from 'node:timers/promises';
import { readResidentKib } from '../load/cpu-time.ts';
import type { Processes, RunningServer } from '../processes.ts';
import type { Values } from './constants.ts';
import { logDemand, nodeDemand, type Layout } from './demand.ts';
import { Audience, createTopics, webSocketTo } from './load.ts';
import { cpuUsOf, startNodes, type Nodes } from './nodes.ts';
import { PacedLoad, sum, topicsOf, type CheckShape } from './paced-load.ts';
import { markdownTable } from './report.ts';
import type { Workload } from './workload.ts';

export const usualCheck: CheckShape = {
  nodes: 3,
  clientsPerNode: 1_000,
  topics: 200,
  subscriptionsPerClient: 2,
  publishesPerSecond: 600,
  batchMessages: 1,
  messageBytes: 300,
  seconds: 20,
  quietMs: 25_000,
};

export interface Compared {
  readonly name: string;
  readonly unit: string;
  readonly predicted: number;
  readonly measured: number;
}

/**
 * Runs a workload on real nodes, and compares it with the model. Every client must get exactly what was
 * published to its topics.
 *
 * @throws Error that says what was delivered wrong
 */
export async function check(
  shape: CheckShape,
  processes: Processes,
  v: Values,
): Promise<readonly Compared[]> {
  const nodes = await startNodes(processes, shape.nodes);
  const audience = new Audience();
  const load = new PacedLoad(shape, nodes.all);
  try {
    const emptyBytes = residentBytes(nodes.all);
    const { bytesUsed: emptyRedisBytes } = await nodes.admin.counters();
    await createTopics(nodes.all[0]?.port ?? 0, load.topics);
    const connecting = await cpuUsOf(nodes.all, () => connectAll(nodes, audience, shape));
    await load.run(shape.seconds / 4);
    await audience.until(load.due);
    const before = await nodes.admin.counters();
    const publishedBefore = load.published;
    const beganMs = performance.now();
    const [redisUs = 0, ...nodesUs] = await cpuUsOf([nodes.redis, ...nodes.all], async () => {
      await load.run(shape.seconds);
      await audience.until(load.due);
    });
    const seconds = (performance.now() - beganMs) / 1e3;
    const after = await nodes.admin.counters();
    load.expectAll(audience);
    await sleep(shape.quietMs);
    const measured: Measured = {
      publishesPerSecond: (load.published - publishedBefore) / seconds,
      publishes: load.published,
      connectUs: sum(connecting) / audience.clients.length,
      redisCpu: redisUs / 1e6 / seconds,
      nodeCpu: sum(nodesUs) / 1e6 / seconds / shape.nodes,
      redisBytesPerSecond: (after.bytesOut - before.bytesOut) / seconds,
      redisBytes: after.bytesUsed - emptyRedisBytes,
      nodeBytes: residentBytes(nodes.all) / shape.nodes,
      emptyBytes: emptyBytes / shape.nodes,
    };
    return compare(shape, measured, v);
  } finally {
    audience.close();
    load.close();
    await nodes.stop();
  }
}

interface Measured {
  readonly publishesPerSecond: number;
  readonly publishes: number;
  readonly connectUs: number;
  readonly redisCpu: number;
  readonly nodeCpu: number;
  readonly redisBytesPerSecond: number;
  readonly redisBytes: number;
  readonly nodeBytes: number;
  readonly emptyBytes: number;
}

/** Nothing here is fitted to the run: only its rate of messages is taken from it. */
function compare(shape: CheckShape, measured: Measured, v: Values): readonly Compared[] {
  const { publishesPerSecond, publishes } = measured;
  const workload = workloadOf(shape, publishesPerSecond, publishes);
  const layout: Layout = { nodes: shape.nodes, logs: 1, following: 'everything' };
  // Without a storm.
  const calm = { ...v, stormMemoryFactor: 1, kernelConnectionBytes: 0 };
  const [log, node] = [logDemand(workload, layout, calm), nodeDemand(workload, layout, calm)];
  const connectUs = v.nodeConnectUs + shape.subscriptionsPerClient * v.nodeSubscribeUs;
  const mib = 2 ** 20;
  return [
    ['CPU of a node', '%', node.cpu * 100, measured.nodeCpu * 100],
    ['CPU of Redis', '%', log.cpu * 100, measured.redisCpu * 100],
    ['CPU of a node to connect and subscribe a client', 'µs', connectUs, measured.connectUs],
    ['memory of a node', 'MiB', node.memoryBytes / mib, measured.nodeBytes / mib],
    [
      '… above an empty one',
      'MiB',
      (node.memoryBytes - v.nodeBytes) / mib,
      (measured.nodeBytes - measured.emptyBytes) / mib,
    ],
    ['memory of Redis for the log', 'MiB', log.storedBytes / mib, measured.redisBytes / mib],
    ['Redis sends', 'KiB/s', log.bytesOutPerSecond / 1_024, measured.redisBytesPerSecond / 1_024],
  ].map(([name, unit, predicted, is]) => ({ name, unit, predicted, measured: is }) as Compared);
}

function workloadOf(shape: CheckShape, publishesPerSecond: number, publishes: number): Workload {
  const { nodes, clientsPerNode, topics, subscriptionsPerClient, messageBytes, batchMessages } = shape;
  return {
    clients: nodes * clientsPerNode,
    topics,
    subscriptionsPerClient,
    publishesPerSecond,
    messageBytes,
    batchMessages,
    everyoneShare: 0,
    pollingShare: 0,
    reconnectsPerSecond: 0,
    stormShare: 0,
    stormSeconds: 1,
    keepSeconds: publishes / publishesPerSecond,
    keepMessages: Infinity,
    idShare: 0,
    idSeconds: 0,
    firstSegments: topics,
  };
}

export function renderCheck(compared: readonly Compared[]): string {
  const digits = (value: number): string => value.toPrecision(3);
  const rows = compared.map(({ name, unit, predicted, measured }) => [
    `${name}, ${unit}`,
    digits(predicted),
    digits(measured),
    `${predicted < measured ? '−' : '+'}${Math.abs((predicted / measured - 1) * 100).toFixed(0)} %`,
  ]);
  return markdownTable([['', 'model', 'measured', 'the model is off by'], ...rows]);
}

async function connectAll({ all }: Nodes, audience: Audience, shape: CheckShape): Promise<void> {
  for (const { port } of all) {
    await audience.grow(webSocketTo(port), shape.clientsPerNode, (client, index) =>
      client.subscribe(topicsOf(shape, index).map((topic) => `topic-${topic}`)),
    );
  }
}

function residentBytes(nodes: readonly RunningServer[]): number {
  return sum(nodes.map(({ pid }) => (readResidentKib(pid) ?? Number.NaN) * 1_024));
}
