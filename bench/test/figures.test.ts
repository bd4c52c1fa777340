import { describe, expect, it } from 'vitest';
import { cpuMsBetween, readCpuTime } from '../src/load/cpu-time.ts';
import { Latencies, percentile } from '../src/load/latencies.ts';
import { renderScenario } from '../src/table.ts';

describe('latencies', () => {
  it('latencies are measured for the median subscriber and for the last', () => {
    const latencies = new Latencies();
    latencies.begin(7);
    latencies.sent(100);
    const arrivals = [101, 102, 103, 110].map((nowMs) => latencies.arrived(7, 4, nowMs));
    expect(arrivals).toEqual([false, false, false, true]);
    expect(latencies.summary()).toEqual({
      medianP50Ms: 2,
      medianP99Ms: 2,
      lastP50Ms: 10,
      lastP99Ms: 10,
      lastP999Ms: 10,
    });
  });

  it('latency percentiles are among the measured values', () => {
    const values = Array.from({ length: 200 }, (_, index) => 200 - index);
    expect([50, 99, 99.9, 100].map((percent) => percentile(values, percent))).toEqual([100, 198, 200, 200]);
  });
});

describe('processor time', () => {
  const at = (
    threads: Record<string, number>,
    ticks: number,
  ): { threads: Map<string, number>; ticks: number } => ({
    threads: new Map(Object.entries(threads)),
    ticks,
  });

  it('processor time is counted in nanoseconds if the threads stay the same', () => {
    expect(cpuMsBetween(at({ 1: 5e6, 2: 1e6 }, 0), at({ 1: 8e6, 2: 2.5e6 }, 0))).toBe(4.5);
  });

  it('processor time is counted in ticks if threads came or went, because their time would be lost otherwise', () => {
    expect(cpuMsBetween(at({ 1: 5e6, 2: 1e6 }, 10), at({ 1: 8e6, 3: 1e6 }, 15))).toBe(50);
  });

  it.runIf(process.platform === 'linux')('processor time is read for a process', () => {
    const before = readCpuTime(process.pid);
    const until = performance.now() + 30;
    while (performance.now() < until);
    const after = readCpuTime(process.pid);
    expect(before && after && cpuMsBetween(before, after)).toBeGreaterThan(1);
  });
});

describe('a table', () => {
  it('a table has medians, minimum and maximum, and the ratio to Fanfare', () => {
    const result = {
      id: 'window-1',
      about: 'a test',
      reference: 'fanfare' as const,
      figures: ['cpuUsPerDelivery', 'deliveriesPerSecond'] as const,
      systems: [
        {
          system: 'fanfare' as const,
          messages: 1,
          failure: undefined,
          rounds: [4, 1, 2].map((cpuUsPerDelivery) => ({ cpuUsPerDelivery, deliveriesPerSecond: 1000 })),
        },
        { system: 'ws' as const, messages: 1, failure: undefined, rounds: [{ cpuUsPerDelivery: 3 }] },
        { system: 'nats' as const, messages: 1, failure: 'a reason', rounds: [] },
      ],
    };
    expect(renderScenario(result, { markdown: true, absent: ['redis'] })).toBe(`### \`window-1\`

a test

| system | CPU per delivery, µs | to fanfare | deliveries/s |
| --- | --: | --: | --: |
| fanfare | 2.00 (1.00–4.00) | 1.00 × | 1,000 (1,000–1,000) |
| ws | 3.00 | 1.50 × | – |
| nats | failed | – | failed |
| redis | – | – | – |
`);
  });
});
