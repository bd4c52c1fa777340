import { print } from '../output.ts';
import type { Target } from '../server-target.ts';
import { Table, type TableColumn } from '../table.ts';
import type { LatencyFigures } from './latencies.ts';
import type { Figures } from './ledger.ts';
import type { Plan } from './plan.ts';

export interface Outcome {
  readonly figures: Figures;
  /** How long messages were due. */
  readonly elapsedMs: number;
  readonly unsent: number;
  readonly firstReason: string | undefined;
  /** The share of the time in which this process was busy. */
  readonly busy: number;
}

/** Prints what was measured. */
export function printReport(target: Target, plan: Plan, outcome: Outcome, json: boolean): void {
  const { figures, elapsedMs, unsent, busy } = outcome;
  const seconds = elapsedMs / 1_000;
  const { acknowledged, delivered, ...counts } = figures;
  if (json) {
    const rated = (one: LatencyFigures): object => ({ ...one, perSecond: rounded(one.count / seconds) });
    print(
      JSON.stringify({
        url: target.name,
        ...plan,
        elapsedMs: rounded(elapsedMs),
        acknowledged: rated(acknowledged),
        delivered: Object.fromEntries(Object.entries(delivered).map(([name, one]) => [name, rated(one)])),
        ...counts,
        unsent,
        busy: rounded(busy),
      }),
    );
    return;
  }
  const loop =
    plan.rate === undefined ? 'closed loop' : `open loop, ${plan.rate.toLocaleString('en')} messages/s`;
  print(
    `${seconds.toFixed(1)} s, ${loop}, ${plan.bytes} bytes: ${many(plan.publishers, 'publisher')}, ${many(plan.topics, 'topic')}, ${many(plan.subscribers, 'subscriber')}`,
  );
  const row = (name: string, one: LatencyFigures): string[] => [
    name,
    String(one.count),
    (one.count / seconds).toFixed(1),
    ...[one.p50Ms, one.p90Ms, one.p99Ms, one.p999Ms, one.maxMs].map((ms) => ms?.toFixed(2) ?? '-'),
  ];
  new Table(latencyColumns).print([
    row('acknowledged', acknowledged),
    ...Object.entries(delivered).map(([transport, one]) => row(`delivered over ${transport}`, one)),
  ]);
  if (process.stdout.isTTY) print('');
  const faults = Object.entries({ ...counts, unsent });
  print(faults.map(([name, count]) => `${name}: ${count}`).join(', '));
}

const latencyColumns: readonly TableColumn[] = [
  { title: '' },
  ...['COUNT', 'PER SECOND', 'P50 MS', 'P90 MS', 'P99 MS', 'P99.9 MS', 'MAX MS'].map((title) => ({
    title,
    isNumber: true,
  })),
];

function rounded(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}

function many(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}
