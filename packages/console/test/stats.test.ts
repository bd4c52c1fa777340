import type { NodeStats, Stats } from '@fanfare/protocol';
import { describe, expect, it } from 'vitest';
import { remarksOn } from '../src/health-remarks.ts';
import { appendSample, historyMs, sampleOf, type Sample } from '../src/stats-samples.ts';

const calm: Stats = {
  time: 1_000_000,
  startedAt: 0,
  version: '1',
  connections: 3,
  subscriptions: 4,
  topics: 5,
  publishes: 100,
  deliveries: 300,
  bytesWaiting: 0,
  catchingUp: 0,
  loopDelayMs: { p50: 0, p99: 1, max: 2 },
  log: { kind: 'disk', bytes: 10 },
};

describe('samples of the figures', () => {
  it('a sample has rates instead of totals', () => {
    const later = { ...calm, time: calm.time + 2_000, publishes: 110, deliveries: 330 };
    expect(sampleOf(later, calm)).toMatchObject({ publishes: 5, deliveries: 15, connections: 3 });
  });

  it('the first sample, and the first one after a restart of the server, have no rates', () => {
    expect(sampleOf(calm, undefined)).toMatchObject({ publishes: null });
    const restarted = { ...calm, time: calm.time + 1_000, startedAt: 999_999, publishes: 1 };
    expect(sampleOf(restarted, calm)).toMatchObject({ publishes: null, deliveries: null });
  });
});

describe('samples of several nodes', () => {
  const node = (id: string, change: Partial<NodeStats>): NodeStats => ({ ...calm, id, ...change });

  it('rates are sums over the nodes, each by its own clock', () => {
    const before = { ...calm, nodes: [node('a', { time: 5_000 }), node('b', { time: 9e6 })] };
    const nodes = [
      node('a', { time: 6_000, publishes: 110 }),
      node('b', { time: 9e6 + 2_000, publishes: 110 }),
      node('c', { publishes: 9_999 }),
    ];
    expect(sampleOf({ ...calm, nodes }, before)).toMatchObject({ time: 6_000, publishes: 15 });
  });

  it('a node that was restarted, or that has gone, does not count', () => {
    const before = { ...calm, nodes: [node('a', { time: 5_000 }), node('b', { time: 5_000 })] };
    const restarted = [node('a', { time: 6_000, startedAt: 5_500, publishes: 3 })];
    expect(sampleOf({ ...calm, nodes: restarted }, before)).toMatchObject({ publishes: null });
  });
});

it('charts keep a bounded number of samples, and have gaps where samples are missing', () => {
  let samples: readonly Sample[] = [];
  for (let at = 0; at < 2_000; at++) {
    samples = appendSample(samples, sampleOf({ ...calm, time: at * 1_000 }, undefined));
  }
  expect(samples).toHaveLength(historyMs / 1_000);
  samples = appendSample(samples, sampleOf({ ...calm, time: 2_010_000 }, undefined));
  expect(samples.slice(-2).map(({ connections }) => connections)).toEqual([null, 3]);
  expect(appendSample(samples, sampleOf(calm, undefined))).toHaveLength(1);
});

describe('remarks about the health of the server', () => {
  const said = (change: Partial<Stats>, error?: string): string =>
    remarksOn({ ...calm, ...change }, error)
      .map(({ level, text }) => `${level}: ${text}`)
      .join('\n');

  it('a healthy server gets the remark that all is well', () => {
    expect(said({})).toBe('good: All is well.');
    expect(said({ startedAt: calm.time - 5_000 })).toContain('good: All is well.');
  });

  it('each problem of the server gets a remark', () => {
    const late = said({ loopDelayMs: { p50: 100, p99: 120, max: 130 } });
    expect(late).toContain('The event-loop delay is 120 ms');
    expect(late).not.toContain('well');
    expect(said({ loopDelayMs: { p50: 0, p99: 400, max: 900 } })).toMatch(/^bad: /);
    expect(said({ catchingUp: 1 })).toContain('1 subscription is catching up');
    expect(said({ bytesWaiting: 2 ** 25 })).toContain('32 MiB wait');
    expect(said({ log: { kind: 'disk', bytes: 95, bytesMax: 100 } })).toContain('95 % of its maximum size');
    expect(said({ silent: ['a'] })).toMatch(/^bad: The node a does not answer/);
    expect(said({}, 'The server did not respond.')).toMatch(/^bad: The figures are out of date/);
  });
});
