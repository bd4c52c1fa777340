import type { LoopDelay } from '@fanfare/protocol';
import type { Readiness } from '../observability/readiness.ts';
import { counter, gauge, known, type Family } from './family.ts';

export interface ProcessFigures {
  readonly version: string;
  /** Empty if the server is the only node. */
  readonly nodeId: string;
  /** In milliseconds since 1970. */
  readonly startedAt: number;
  readonly loopDelayMs: LoopDelay;
  readonly readiness: Readiness;
  /** The number of times that each invariant was broken. */
  readonly invariants: readonly (readonly [name: string, count: number])[];
}

/** The process: its checks, its event loop, and what the system gives it. */
export function processMetrics({
  version,
  nodeId: node,
  startedAt,
  loopDelayMs,
  readiness,
  invariants,
}: ProcessFigures): readonly Family[] {
  const { rss, heapUsed, external } = process.memoryUsage();
  const { user, system } = process.cpuUsage();
  const delay = (name: 'p50' | 'p99' | 'max', words: string): Family =>
    gauge(
      `fanfare_event_loop_delay_${name}_seconds`,
      `How late the event loop was in the last seconds: ${words}.`,
      loopDelayMs[name] / 1_000,
    );
  return known([
    {
      name: 'fanfare_info',
      help: 'The version of the server, and the id of the node among several.',
      type: 'gauge',
      samples: [{ labels: { version, node }, value: 1 }],
    },
    gauge('fanfare_ready', 'Whether a check of /readyz succeeds: 1 or 0.', {
      label: 'check',
      values: Object.entries(readiness.checks).map(([name, { ok }]) => [name, ok ? 1 : 0]),
    }),
    gauge('fanfare_warning', 'Whether a check of /readyz has a warning: 1 or 0.', {
      label: 'check',
      values: Object.entries(readiness.checks).map(([name, { warning }]) => [name, warning ? 1 : 0]),
    }),
    counter('fanfare_broken_invariants_total', 'Bugs of the server that it has found itself.', {
      label: 'invariant',
      values: invariants,
    }),
    delay('p50', 'the median'),
    delay('p99', 'the 99th percentile'),
    delay('max', 'the maximum'),
    gauge('process_start_time_seconds', 'Start of the server, in seconds since 1970.', startedAt / 1_000),
    counter('process_cpu_seconds_total', 'CPU time of the process.', (user + system) / 1e6),
    gauge('process_resident_memory_bytes', 'Resident memory of the process.', rss),
    gauge('nodejs_heap_size_used_bytes', 'JavaScript heap that is in use.', heapUsed),
    gauge('nodejs_external_memory_bytes', 'Memory outside the JavaScript heap, such as buffers.', external),
  ]);
}
