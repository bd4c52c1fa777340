import { expect } from 'vitest';
import { startBalancer } from '../nodes/three-nodes.ts';
import { RedisServer, type RedisOptions } from '../redis/redis-server.ts';
import type { Verdict } from './history.ts';
import { declareTopics } from './http.ts';
import { topics } from './load.ts';
import type { Random } from './random.ts';
import { startNodes, type NodeOptions, type SharedNode } from './shared-fanfare.ts';
import { SharedLoad, type Probe } from './shared-load.ts';
import { World, type Stored } from './world.ts';

export interface SharedSetup {
  readonly redis: RedisServer;
  readonly first: SharedNode;
  readonly second: SharedNode;
  readonly load: SharedLoad;
  /** Publishes one message at each node at the same time. */
  readonly probeBoth: () => Promise<readonly Probe[]>;
  /** Ends the load, and judges what was seen, and the memory of the nodes. */
  readonly judge: (options?: { readonly mayLose?: boolean }) => Promise<Verdict>;
}

/** A refusal comes about two seconds after the publish. The machine of a test can be busy. */
const refusalMs = 3_000;

const residentBytesMax = 300 * 2 ** 20;

/** Two nodes on a Redis of their own, with load. */
export async function startShared(
  random: Random,
  {
    redis: options = {},
    nodes: nodeOptions = [],
    stored = 'memory',
  }: {
    readonly redis?: RedisOptions;
    readonly nodes?: readonly NodeOptions[];
    readonly stored?: Stored;
  } = {},
): Promise<SharedSetup> {
  const redis = await RedisServer.start(options);
  const nodes = await startNodes(redis, 2, nodeOptions);
  const [first, second] = nodes as [SharedNode, SharedNode];
  const load = await SharedLoad.start({ redis, urls: [first.url, second.url], random, stored });
  return {
    redis,
    first,
    second,
    load,
    probeBoth: async () => Promise.all([load.probe(first.url), load.probe(second.url)]),
    judge: async ({ mayLose = false } = {}) => {
      const verdict = await load.judge(mayLose);
      for (const node of nodes) expect(node.residentBytes).toBeLessThan(residentBytesMax);
      return verdict;
    },
  };
}

/** Three nodes behind nginx, which sends each request to another one. */
export interface BalancedSetup {
  readonly nodes: readonly SharedNode[];
  readonly url: string;
  readonly world: World;
}

/** @param retryMs - the pause before a publish is tried again */
export async function startBalanced(retryMs: number): Promise<BalancedSetup> {
  const redis = await RedisServer.start();
  const node = { flags: ['--trust-proxy', '127.0.0.1'] };
  const nodes = await startNodes(redis, 3, [node, node, node]);
  const url = await startBalancer(nodes, 'max_fails=0');
  await declareTopics(url, topics);
  const world = new World(topics, 'memory', retryMs);
  world.setUp(url);
  return { nodes, url, world };
}

/** Each publish was refused in time, by a problem that says whether it can have happened. */
export function expectRefused(probes: readonly Probe[]): void {
  for (const { outcome, code, ms } of probes) {
    const isRefused = outcome === 'unknown' || code === 'storage_unavailable';
    expect(isRefused, JSON.stringify(probes)).toBe(true);
    expect(ms, JSON.stringify(probes)).toBeLessThan(refusalMs);
  }
}

export function expectAcknowledged(probes: readonly Probe[]): void {
  expect(
    probes.map(({ outcome }) => outcome),
    JSON.stringify(probes),
  ).toEqual(probes.map(() => 'ok'));
}

/** What `GET /readyz` says of the log. */
export interface LogReadiness {
  readonly status: number;
  readonly log: unknown;
}

export async function readinessOf(url: string): Promise<LogReadiness> {
  const response = await fetch(`${url}/readyz`);
  const { checks } = (await response.json()) as { readonly checks: { readonly log: unknown } };
  return { status: response.status, log: checks.log };
}

/** Prints figures of a run: how long refusals and the recovery took, in milliseconds. */
export function note(what: string, probes: readonly Probe[], recoveredMs: number): void {
  const refusals = probes.map(({ ms, outcome, code }) => `${code ?? outcome} after ${ms}`);
  console.log(`${what}: ${refusals.join(', ')}; recovered after ${recoveredMs}`);
}
