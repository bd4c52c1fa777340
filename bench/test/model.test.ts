import fc from 'fast-check';
import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { check, renderCheck } from '../src/model/check.ts';
import { PacedLoad, type CheckShape } from '../src/model/paced-load.ts';
import { constants, values, type ConstantName, type Values } from '../src/model/constants.ts';
import {
  audienceOf,
  logDemand,
  nodeDemand,
  ringSeconds,
  wantedShare,
  type Following,
  type Layout,
} from '../src/model/demand.ts';
import { fitLine } from '../src/model/measure/sample.ts';
import { firstFull, frameSizeNeeded, latencyMs, nodesNeeded, plan } from '../src/model/plan.ts';
import { renderKind, renderLogs, sizes } from '../src/model/report.ts';
import { stormOfAll } from '../src/model/storm.ts';
import { kinds, usualHardware, type Workload } from '../src/model/workload.ts';
import { root } from '../src/paths.ts';
import { Processes } from '../src/processes.ts';

const workloads: fc.Arbitrary<Workload> = fc
  .record({
    clients: fc.integer({ min: 1, max: 20_000_000 }),
    topics: fc.integer({ min: 1, max: 20_000_000 }),
    subscriptionsPerClient: fc.integer({ min: 1, max: 100 }),
    publishesPerSecond: fc.double({ min: 0.01, max: 1e6, noNaN: true }),
    messageBytes: fc.integer({ min: 2, max: 100_000 }),
    batchMessages: fc.integer({ min: 1, max: 256 }),
    everyoneShare: fc.double({ min: 0, max: 1, noNaN: true }),
    pollingShare: fc.double({ min: 0, max: 1, noNaN: true }),
    reconnectsPerSecond: fc.double({ min: 0, max: 10_000, noNaN: true }),
    stormShare: fc.double({ min: 0, max: 1, noNaN: true }),
    stormSeconds: fc.double({ min: 1, max: 100, noNaN: true }),
    keepSeconds: fc.integer({ min: 0, max: 1_000_000 }),
    keepMessages: fc.integer({ min: 0, max: 1_000_000 }),
    idShare: fc.double({ min: 0, max: 1, noNaN: true }),
    idSeconds: fc.integer({ min: 0, max: 10_000 }),
    firstSegments: fc.integer({ min: 1, max: 1_000_000 }),
  })
  // Each client subscribes to a topic once.
  .filter(({ subscriptionsPerClient, topics }) => subscriptionsPerClient <= topics);
const nodes = fc.integer({ min: 2, max: 10_000 });
const followings = fc.constantFrom<Following[]>('everything', 'one log', 'wanted');

/** A little more than the other, because numbers have an end. */
const alike = 1 + 1e-9;

const no = Object.fromEntries(Object.keys(values).map((name) => [name, 0])) as unknown as Values;

const small: Workload = {
  clients: 1_000,
  topics: 100,
  subscriptionsPerClient: 2,
  publishesPerSecond: 50,
  messageBytes: 1_024,
  batchMessages: 5,
  everyoneShare: 0,
  pollingShare: 0,
  reconnectsPerSecond: 10,
  stormShare: 1,
  stormSeconds: 1,
  keepSeconds: 60,
  keepMessages: 20,
  idShare: 0.5,
  idSeconds: 10,
  firstSegments: 100,
};
const four: Layout = { nodes: 4, logs: 1, following: 'everything' };
const oneLog: Omit<Layout, 'nodes'> = { logs: 1, following: 'everything' };

describe('the demand of a log', () => {
  it.each<[string, Partial<Values>, Partial<ReturnType<typeof logDemand>>]>([
    ['ten frames a second', { redisAppendUs: 100 }, { cpu: 1e-3 }],
    ['fifty messages a second', { redisMessageUs: 10 }, { cpu: 5e-4 }],
    ['fifty KiB a second', { redisMessageKibUs: 10 }, { cpu: 5e-4 }],
    ['ten frames a second for each node', { redisFollowerUs: 10 }, { cpu: 4e-4, framesCpu: 4e-4 }],
    ['a heartbeat of each node', { redisNodeUsPerSecond: 250 }, { cpu: 1e-3, heartbeatCpu: 1e-3 }],
    ['each node in each heartbeat', { redisBeatPeerUs: 1 }, { cpu: 1.6e-5, heartbeatCpu: 1.6e-5 }],
    ['both subscriptions of each reconnect', { redisOpenUs: 50 }, { cpu: 1e-3 }],
    ['the topics', { redisTopicBytes: 10 }, { storedBytes: 1_000 + 2_000 * 1_024 }],
    ['the ids', { redisIdBytes: 10 }, { storedBytes: 2_500 + 2_000 * 1_024 }],
    ['the overhead of stored messages', { redisMessageBytes: 10 }, { storedBytes: 2_000 * 1_034 }],
    ['the frames to each node', { frameBytes: 100 }, { bytesOutPerSecond: 4 * 10 * (100 + 5 * 1_024) }],
  ])('the demand of a log counts %s', (_what, constant, expected) => {
    const demand = logDemand(small, four, { ...no, ...constant });
    for (const [name, value] of Object.entries(expected))
      expect(demand[name as keyof typeof demand], name).toBeCloseTo(value, 9);
  });

  it('twice the logs never need more of each Redis', () => {
    fc.assert(
      fc.property(
        workloads,
        nodes,
        fc.integer({ min: 0, max: 6 }),
        followings,
        (workload, count, power, following) => {
          const layout = { nodes: count, logs: 2 ** power, following };
          const one = logDemand(workload, layout, values);
          const twice = logDemand(workload, { ...layout, logs: 2 * layout.logs }, values);
          expect(twice.cpu).toBeLessThanOrEqual(one.cpu * alike);
          expect(twice.memoryBytes).toBeLessThanOrEqual(one.memoryBytes * alike);
          expect(twice.bytesOutPerSecond).toBeLessThanOrEqual(one.bytesOutPerSecond * alike);
        },
      ),
    );
  });

  it('each of four logs has a fourth of the messages, frames, topics and ids', () => {
    const constant = {
      ...no,
      redisAppendUs: 100,
      redisFollowerUs: 10,
      redisTopicBytes: 10,
      redisIdBytes: 10,
    };
    const [one, each] = [1, 4].map((logs) => logDemand(small, { ...four, logs }, constant));
    for (const name of ['cpu', 'framesCpu', 'storedBytes', 'bytesOutPerSecond'] as const)
      expect(each?.[name], name).toBeCloseTo((one?.[name] ?? Number.NaN) / 4, 9);
  });

  it('logs beyond the first segments of topics bring nothing', () => {
    const layout: Layout = { nodes: 10, logs: 8, following: 'everything' };
    const workload = { ...small, firstSegments: 8 };
    expect(logDemand(workload, { ...layout, logs: 64 }, values)).toEqual(logDemand(workload, layout, values));
  });
});

describe('the demand of a node', () => {
  it.each<[string, Partial<Values>, Partial<ReturnType<typeof nodeDemand>>]>([
    ['each frame on each node', { nodeFrameUs: 10 }, { cpu: 1e-4, fixedCpu: 1e-4 }],
    ['each message on each node', { nodeMessageUs: 10 }, { cpu: 5e-4, fixedCpu: 5e-4 }],
    [
      'a write for each batch and subscriber',
      { nodeWriteUs: 10 },
      { cpu: (10 * 20 * 10e-6) / 4, fixedCpu: 0 },
    ],
    ['each delivery', { nodeDeliverUs: 1 }, { cpu: (50 * 20 * 1e-6) / 4 }],
    ['its part of the publishes', { nodePublishUs: 100 }, { cpu: 1e-3 / 4 }],
    ['its part of the clients', { nodeConnectionUsPerSecond: 4 }, { cpu: 1e-3 }],
    ['its part of the reconnects', { nodeConnectUs: 400, nodeSubscribeUs: 100 }, { cpu: 1.5e-3 }],
  ])('the demand of a node counts %s', (_what, constant, expected) => {
    const demand = nodeDemand(small, four, { ...no, ...constant });
    for (const [name, value] of Object.entries(expected))
      expect(demand[name as keyof typeof demand], name).toBeCloseTo(value, 9);
  });

  it('a node that has only clients of one log follows only this one', () => {
    const constant = { ...no, nodeFrameUs: 10 };
    const followed = (logs: number, following: Following): number =>
      nodeDemand(small, { nodes: 8, logs, following }, constant).fixedCpu;
    expect(followed(4, 'everything')).toBeCloseTo(followed(1, 'everything'), 9);
    expect(followed(4, 'one log')).toBeCloseTo(followed(1, 'everything') / 4, 9);
  });

  it('a message with one subscriber goes to one node if nodes get only wanted frames', () => {
    const alone = { ...small, topics: small.clients, subscriptionsPerClient: 1 };
    const constant = { ...no, redisFollowerUs: 10, nodeFrameUs: 10 };
    const [all, wanted] = (['everything', 'wanted'] as const).map((following) => {
      const layout = { ...four, following };
      return [logDemand(alone, layout, constant).framesCpu, nodeDemand(alone, layout, constant).fixedCpu];
    });
    expect(wanted).toEqual(all?.map((cpu) => expect.closeTo(cpu / 4, 9) as number));
  });

  it('a node that gets only wanted frames never follows more than one that gets everything', () => {
    fc.assert(
      fc.property(workloads, nodes, (workload, count) => {
        const [all, wanted] = (['everything', 'wanted'] as const).map((following) => {
          const layout = { nodes: count, logs: 1, following };
          return { log: logDemand(workload, layout, values), node: nodeDemand(workload, layout, values) };
        });
        expect(wanted?.node.fixedCpu).toBeLessThanOrEqual((all?.node.fixedCpu ?? 0) * alike);
        expect(wanted?.log.framesCpu).toBeLessThanOrEqual((all?.log.framesCpu ?? 0) * alike);
      }),
    );
  });

  it('more nodes never have more to do each', () => {
    fc.assert(
      fc.property(
        workloads,
        fc.integer({ min: 1, max: 10_000 }),
        followings,
        (workload, count, following) => {
          const layout = { nodes: count, logs: 4, following };
          const one = nodeDemand(workload, layout, values);
          const more = nodeDemand(workload, { ...layout, nodes: count + 1 }, values);
          expect(more.cpu).toBeLessThanOrEqual(one.cpu * alike);
          expect(more.memoryBytes).toBeLessThanOrEqual(one.memoryBytes * alike);
        },
      ),
    );
  });
});

describe('clients and servers', () => {
  it('a message reaches the subscribers of its topic, or everyone', () => {
    expect(audienceOf(small)).toBe(20);
    expect(audienceOf({ ...small, everyoneShare: 0.1 })).toBeCloseTo(0.9 * 20 + 0.1 * 1_000);
  });

  it('the share of nodes that need a message is between that of one subscriber and all', () => {
    const alone = { ...small, clients: 100, topics: 100, subscriptionsPerClient: 1 };
    expect(wantedShare(alone, 50)).toBeCloseTo(1 / 50);
    expect(wantedShare({ ...alone, clients: 1e6 }, 50)).toBeCloseTo(1);
    expect(wantedShare({ ...alone, everyoneShare: 1, clients: 1e6 }, 50)).toBeCloseTo(1);
  });

  it('more clients of a workload never need fewer nodes or less of Redis', () => {
    fc.assert(
      fc.property(workloads, fc.integer({ min: 1, max: 1_000_000 }), (workload, more) => {
        const larger = { ...workload, clients: workload.clients + more };
        const [few, many] = [workload, larger].map((each) =>
          nodesNeeded(each, oneLog, usualHardware, values),
        );
        expect(many?.nodes).toBeGreaterThanOrEqual(few?.nodes ?? Infinity);
        expect(logDemand(larger, four, values).cpu).toBe(logDemand(workload, four, values).cpu);
      }),
    );
  });

  it('a kind of workload never needs fewer nodes or less of Redis with more clients', () => {
    for (const { workload } of kinds) {
      const plans = sizes.map((clients) => plan(workload(clients), oneLog, usualHardware, values));
      for (const figures of [
        plans.map(({ needed }) => needed.nodes),
        plans.map(({ log }) => log.cpu),
        plans.map(({ log }) => log.memoryBytes),
      ])
        expect(figures).toEqual(figures.toSorted((a, b) => a - b));
    }
  });

  it('the planned nodes are enough, and one less is not', () => {
    const workload = kinds[0]?.workload(1_000_000);
    if (!workload) throw new Error('There is no kind of workload.');
    const { byCpu } = nodesNeeded(workload, oneLog, usualHardware, values);
    const cpuWith = (count: number): number => nodeDemand(workload, { ...oneLog, nodes: count }, values).cpu;
    expect(byCpu).toBeGreaterThan(2);
    expect(cpuWith(byCpu)).toBeLessThanOrEqual(usualHardware.cpuMax);
    expect(cpuWith(byCpu - 1)).toBeGreaterThan(usualHardware.cpuMax);
  });

  it('the first full part is full at the number of clients that is found', () => {
    for (const { workload } of kinds) {
      const full = firstFull(workload, oneLog, usualHardware, values);
      if (!full) throw new Error('No part is ever full.');
      const at = (clients: number): number =>
        plan(workload(clients), oneLog, usualHardware, values).parts[0]?.fullness ?? Number.NaN;
      expect(at(full.clients * 0.98)).toBeLessThanOrEqual(1);
      expect(at(full.clients * 1.02)).toBeGreaterThan(1);
    }
  });

  it('larger frames are asked for only if Redis is too busy, and then they are enough', () => {
    const busy = { ...small, batchMessages: 1, publishesPerSecond: 20_000 };
    expect(frameSizeNeeded(small, four, usualHardware, values)).toEqual({ messages: 5, delayMs: 0 });
    const needed = frameSizeNeeded(busy, four, usualHardware, values);
    const cpuWith = (batchMessages: number): number =>
      logDemand({ ...busy, batchMessages }, four, values).cpu;
    expect(cpuWith(needed?.messages ?? 0)).toBeLessThanOrEqual(usualHardware.cpuMax);
    expect(cpuWith((needed?.messages ?? 0) - 1)).toBeGreaterThan(usualHardware.cpuMax);
    expect(needed?.delayMs).toBeGreaterThan(0);
  });
});

describe('a reconnect storm', () => {
  it('a storm takes as long as its slowest part', () => {
    const constant = { ...no, nodeConnectUs: 8_000, redisOpenUs: 10 };
    const { seconds, nodeSeconds, redisSeconds, first } = stormOfAll(small, four, constant);
    // Nodes are busy with ordinary reconnects for 2 % of their time, Redis for 0.02 %.
    expect(nodeSeconds).toBeCloseTo(2 / 0.98);
    expect(redisSeconds).toBeCloseTo(0.02 / 0.9998);
    expect({ seconds, first }).toEqual({ seconds: nodeSeconds, first: 'nodes' });
  });

  it('a storm that is longer than what nodes have in memory also reads Redis', () => {
    const busy = { ...small, publishesPerSecond: 4_000, clients: 1_000_000, topics: 1_000_000 };
    const storm = stormOfAll(busy, { ...four, nodes: 50 }, values);
    expect(storm.seconds).toBeGreaterThan(ringSeconds(busy));
    expect(storm.readsRedis).toBe(true);
    const without = stormOfAll(
      busy,
      { ...four, nodes: 50 },
      { ...values, redisResumeUs: 0, nodeResumeStoredUs: 0 },
    );
    expect(storm.seconds).toBeGreaterThan(without.seconds);
  });
});

describe('the constants', () => {
  it('every constant is a positive number in its range, with the command that measured it', () => {
    for (const [name, { value, range, measuredBy }] of Object.entries(constants)) {
      const [least, most] = range;
      expect(value, name).toBeGreaterThanOrEqual(least);
      expect(value, name).toBeLessThanOrEqual(most);
      expect(value, name).toBeGreaterThanOrEqual(0);
      expect(measuredBy, name).toMatch(/\w/);
    }
  });

  it('all times count as processor time, and none of them as bytes', () => {
    const slower = Object.fromEntries(
      Object.entries(constants).map(([name, { value, unit }]) => [
        name,
        unit === 'µs' || unit === 'µs/s' ? 2 * value : value,
      ]),
    ) as Record<ConstantName, number>;
    const [fast, slow] = [values, slower].map((v) => ({
      log: logDemand(small, four, v),
      node: nodeDemand(small, four, v),
    }));
    expect(slow?.log.cpu).toBeCloseTo(2 * (fast?.log.cpu ?? 0), 9);
    expect(slow?.node.cpu).toBeCloseTo(2 * (fast?.node.cpu ?? 0), 9);
    expect(slow?.log.memoryBytes).toBe(fast?.log.memoryBytes);
    expect(slow?.node.bytesOutPerSecond).toBe(fast?.node.bytesOutPerSecond);
  });

  it('the line through points is found', () => {
    const { base, slope } = fitLine([1, 16, 64].map((x) => [x, 7 + 3 * x] as const));
    expect([base, slope]).toEqual([expect.closeTo(7), expect.closeTo(3)]);
  });
});

describe('the tables', () => {
  it('the tables have a number in every cell, for every workload', () => {
    const expectNumbers = (text: string): void => expect(text).not.toMatch(/NaN|undefined|Infinity|\[object/);
    for (const kind of kinds) expectNumbers(renderKind(kind, sizes, usualHardware, values));
    expectNumbers(renderLogs(kinds, usualHardware, values));
    fc.assert(
      fc.property(workloads, (workload) => {
        const kind = { name: 'any', about: 'any workload', workload: () => workload };
        expectNumbers(renderKind(kind, [workload.clients], usualHardware, values));
        const { acknowledgement } = latencyMs(
          workload,
          plan(workload, oneLog, usualHardware, values),
          usualHardware,
          values,
        );
        expect(acknowledgement).toBeGreaterThan(0);
      }),
    );
  });

  it('npm run bench -- model prints the tables, and refuses what it does not know', () => {
    const bench = (...args: readonly string[]): { stdout: string; stderr: string; status: number | null } =>
      spawnSync(process.execPath, ['bench/dist/main.js', 'model', ...args], { cwd: root, encoding: 'utf8' });
    const { stdout, status } = bench('--kind', 'chat', '--clients', '5000', '--set', 'messageBytes=99');
    expect(stdout).toMatch(/^chat: rooms of 50[^]*\| chat: clients +\| +5,000 \|/);
    expect(status).toBe(0);
    expect(bench('--kind', 'chess').stderr).toContain("There is no kind 'chess'. There are: chat, ");
    expect(bench('--set', 'clowns=1').stderr).toContain("--set knows no 'clowns', but: ");
    expect(bench('--set', 'batchMessages=0').stderr).toContain(
      "--set batchMessages takes a number greater than 0, not '0'.",
    );
    expect(bench('--clients', 'many').status).toBe(2);
  });
});

describe('the comparison with real nodes', () => {
  const shape: CheckShape = {
    nodes: 2,
    clientsPerNode: 20,
    topics: 10,
    subscriptionsPerClient: 2,
    publishesPerSecond: 100,
    batchMessages: 2,
    messageBytes: 200,
    seconds: 2,
    quietMs: 0,
  };

  it('real nodes deliver what the model assumes, and Redis sends as many bytes', async () => {
    const processes = new Processes(undefined);
    try {
      const compared = await check(shape, processes, values);
      for (const { name, measured } of compared) expect(measured, name).toBeGreaterThan(0);
      const bytes = compared.find(({ name }) => name === 'Redis sends');
      expect((bytes?.predicted ?? 0) / (bytes?.measured ?? 1)).toBeGreaterThan(0.7);
      expect((bytes?.predicted ?? 0) / (bytes?.measured ?? 1)).toBeLessThan(1.4);
    } finally {
      processes.close();
    }
  });

  it('the comparison fails if a client got more or less than was published', () => {
    const load = new PacedLoad(shape, []);
    expect(() => load.expectAll({ received: [0, 0, 0] })).not.toThrow();
    expect(() => load.expectAll({ received: [0, 1, 0] })).toThrow('Client 1 got 1 messages instead of 0.');
  });

  it('the comparison says how far the model is off', () => {
    const table = renderCheck([
      { name: 'one', unit: '%', predicted: 12, measured: 10 },
      { name: 'two', unit: 'MiB', predicted: 5, measured: 10 },
    ]);
    expect(table).toMatch(/one, % +\| +12\.0 \| +10\.0 \| +\+20 %/);
    expect(table).toMatch(/two, MiB +\| +5\.00 \| +10\.0 \| +−50 %/);
  });
});
