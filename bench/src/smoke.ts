import type { Processes, RunningServer } from './processes.ts';
import type { Job } from './load/job.ts';
import { fanOutJob, replayTarget, runLoads } from './run.ts';
import { untilDelivered } from './adapters/scenarios.ts';
import type { FanOutShape } from './scenario.ts';
import { atRate, http32, topics100, usualBatches, usualReplay } from './scenarios.ts';
import type { System } from './systems/system.ts';

/** A job without its server. */
type SmallJob = Job extends infer Each
  ? Each extends Job
    ? Omit<Each, 'system' | 'port' | 'pid' | 'timeoutMs'>
    : never
  : never;

interface SmallScenario {
  readonly id: string;
  readonly job: SmallJob;
}

const few = { subscribers: 20, subscribersPerTopic: 20 };
const oneTopic = { ...topics100, ...few, topics: 1 };
const noTime = { warmUpMs: 0, stretchMs: 0 };

function smallFanOuts(system: System): readonly SmallScenario[] {
  const fanOuts: readonly { readonly id: string; readonly shape: FanOutShape; readonly messages: number }[] =
    [
      { id: 'window-1', shape: { ...oneTopic, publishing: { over: 'socket', window: 1 } }, messages: 100 },
      { id: 'window-64', shape: oneTopic, messages: 500 },
      { id: 'topics-100', shape: { ...topics100, subscribers: 20, subscribersPerTopic: 5 }, messages: 500 },
      {
        id: 'rate-10000',
        shape: { ...atRate(10_000), subscribers: 20, subscribersPerTopic: 5 },
        messages: 500,
      },
      { id: 'http-32', shape: { ...http32, ...few, withBareHttp: true }, messages: 100 },
    ];
  return fanOuts
    .filter(({ shape }) => system.publishing.includes(shape.publishing.over))
    .filter(({ shape }) => system.wire ?? shape.withBareHttp)
    .map(({ id, shape, messages }) => ({ id, job: { ...fanOutJob(shape, messages), ...noTime } }));
}

/** The measured scenarios with small numbers. */
function smallScenarios(system: System, { besides }: RunningServer): readonly SmallScenario[] {
  return [
    ...(besides?.publishers ? smallPairs : []),
    ...(system.isOnlyWhereNamed ? [] : smallFanOuts(system)),
    ...(system.batches ? [{ id: 'batches', job: smallBatches }] : []),
    ...(system.batches?.isStored && system.wire ? smallReplays(system) : []),
  ];
}

const smallPairs: readonly SmallScenario[] = [1, 64].map((size) => ({
  id: `pair-window-${size}`,
  job: { ...fanOutJob({ ...oneTopic, publishing: untilDelivered(size) }, 200), ...noTime },
}));

const smallBatches: SmallJob = {
  kind: 'batches',
  topic: 'batches',
  ...usualBatches,
  connections: 4,
  messages: 2000,
  ...noTime,
};

function smallReplays(system: System): readonly SmallScenario[] {
  const loopDelayPath = undefined;
  const small = { ...usualReplay, messages: 3000, messagesEach: 2000, warmUpMessages: 0, loopDelayPath };
  return [
    { id: 'replay', job: { ...small, ...replayTarget(system, 'replay'), subscribers: 5 } },
    {
      id: 'replay-live',
      job: { ...small, ...replayTarget(system, 'replay-live'), publishesPerSecond: 5000 },
    },
  ];
}

const timeoutMs = 15_000;

/**
 * Checks that a system delivers exactly what was published.
 *
 * @returns the ids of the scenarios that it took part in
 * @throws Error that says what was wrong
 */
export function smoke(system: System, processes: Processes): Promise<readonly string[]> {
  return runSmall(system, (server) => smallScenarios(system, server), processes);
}

/** The same for fan-out only, also of a system that takes part only where it is named. */
export function smokeFanOut(system: System, processes: Processes): Promise<readonly string[]> {
  return runSmall(system, () => smallFanOuts(system), processes);
}

async function runSmall(
  system: System,
  scenariosFor: (server: RunningServer) => readonly SmallScenario[],
  processes: Processes,
): Promise<readonly string[]> {
  const server = await system.start(processes);
  try {
    const mine = scenariosFor(server);
    const { port, pid, besides } = server;
    const target = { system: system.name, port, pid, besides, timeoutMs };
    const jobs = mine.map(({ job }) => ({ ...target, ...job }));
    for (const [at, result] of (await runLoads(jobs, server, processes)).entries())
      if (!result.ok) throw new Error(`${mine[at]?.id}: ${result.reason}`);
    return mine.map(({ id }) => id);
  } finally {
    await server.stop();
  }
}
