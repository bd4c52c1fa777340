import type { NodeStats, Stats } from '@fanfare/protocol';

/** The figures at one time. Rates are per second, delays in milliseconds. Null marks a gap in a chart. */
export interface Sample {
  readonly time: number;
  readonly publishes: number | null;
  readonly deliveries: number | null;
  readonly connections: number | null;
  readonly topics: number | null;
  readonly bytesWaiting: number | null;
  readonly delayP50: number | null;
  readonly delayP99: number | null;
  readonly delayMax: number | null;
  readonly logBytes: number | null;
}

/** How long the charts go back, in milliseconds. */
export const historyMs = 900_000;

/** A longer time without samples is a gap in the charts. */
const holeMs = 5_000;

/** Turns totals into rates. A server that was started since the last sample has no rates yet. */
export function sampleOf(stats: Stats, before: Stats | undefined): Sample {
  return {
    time: timeOf(stats),
    publishes: rateOf('publishes', stats, before),
    deliveries: rateOf('deliveries', stats, before),
    connections: stats.connections,
    topics: stats.topics,
    bytesWaiting: stats.bytesWaiting,
    delayP50: stats.loopDelayMs.p50,
    delayP99: stats.loopDelayMs.p99,
    delayMax: stats.loopDelayMs.max,
    logBytes: stats.log.bytes,
  };
}

/** The time by the clock of one server: the clocks of several nodes can differ. */
function timeOf({ nodes, time }: Stats): number {
  return nodes?.[0]?.time ?? time;
}

/** The sum over all nodes, each by its own clock. Null if no node was there before. */
function rateOf(total: 'publishes' | 'deliveries', stats: Stats, before: Stats | undefined): number | null {
  let sum: number | null = null;
  for (const node of nodesOf(stats)) {
    const earlier = before && nodesOf(before).find(({ id }) => id === node.id);
    const seconds = earlier?.startedAt === node.startedAt ? (node.time - earlier.time) / 1_000 : 0;
    if (earlier && seconds > 0) sum = (sum ?? 0) + Math.max(0, node[total] - earlier[total]) / seconds;
  }
  return sum;
}

function nodesOf(stats: Stats): readonly NodeStats[] {
  return stats.nodes ?? [{ ...stats, id: '' }];
}

/** Appends a sample, removes old ones, and inserts a gap if there was no sample for a long time. */
export function appendSample(samples: readonly Sample[], sample: Sample): readonly Sample[] {
  const last = samples.at(-1);
  // The clock of the server was set back, or it is another server.
  if (last && sample.time <= last.time) return [sample];
  const kept = samples.filter(({ time }) => time > sample.time - historyMs);
  if (last && sample.time - last.time > holeMs) kept.push(hole(last.time + 1));
  kept.push(sample);
  return kept;
}

function hole(time: number): Sample {
  return {
    time,
    publishes: null,
    deliveries: null,
    connections: null,
    topics: null,
    bytesWaiting: null,
    delayP50: null,
    delayP99: null,
    delayMax: null,
    logBytes: null,
  };
}
