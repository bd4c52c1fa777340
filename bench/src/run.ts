import { compiled } from './paths.ts';
import type { FanOutShape, Scenario } from './scenario.ts';
import type { Processes, RunningServer } from './processes.ts';
import type { Figures, Job, LoadResult } from './load/job.ts';
import type { SystemName } from './systems/names.ts';
import type { StartOptions, System } from './systems/system.ts';

/** The result of one system in one scenario. */
export interface SystemResult {
  readonly system: SystemName;
  /** Messages of a measured stretch, the same in every round. 0 if none are published. */
  readonly messages: number;
  /** One for each round. */
  readonly rounds: readonly Figures[];
  /** Why the measurement failed. */
  readonly failure: string | undefined;
}

export interface ScenarioResult {
  readonly id: string;
  readonly about: string;
  readonly figures: Scenario['figures'];
  /** The system to which the others are compared. */
  readonly reference: SystemName;
  readonly systems: readonly SystemResult[];
}

/** The limit for one whole measurement. A longer one fails. */
const timeoutMs = 240_000;
const warmUpMs = 2000;
const stretchMs = 3000;
/** The topic of scenarios with only one topic. */
const usualTopic = 'topic-0';

/** Whether the system supports the scenario. */
export function takesPart(system: System, scenario: Scenario): boolean {
  const isNamed = scenario.systems?.includes(system.name) ?? !system.isOnlyWhereNamed;
  if (!isNamed || scenario.kind === 'batches' || scenario.kind === 'replay') return isNamed;
  if (scenario.kind === 'strangers') return isNamed;
  if (scenario.kind !== 'fan-out') return system.wire !== undefined;
  const { publishing, withBareHttp } = scenario.shape;
  return system.publishing.includes(publishing.over) && (system.wire !== undefined || withBareHttp);
}

/** Runs a scenario: the systems take turns, each time with a fresh server. */
export async function runScenario(
  scenario: Scenario,
  systems: readonly System[],
  options: {
    readonly rounds: number;
    readonly processes: Processes;
    readonly onProgress: (text: string) => void;
  },
): Promise<ScenarioResult> {
  const results = new Map<System, SystemResult>();
  for (const system of systems.filter((each) => takesPart(each, scenario))) {
    results.set(system, { system: system.name, messages: 0, rounds: [], failure: undefined });
  }
  const rounds = Math.min(options.rounds, scenario.roundsMax ?? Infinity);
  for (let round = 1; round <= rounds; round++) {
    for (const [system, result] of results) {
      if (result.failure !== undefined) continue;
      options.onProgress(`${scenario.id}, round ${round} of ${rounds}: ${system.name}`);
      const measured = await measureOnce(scenario, system, result.messages, options.processes);
      if (!measured.ok) options.onProgress(`${system.name} failed: ${measured.reason}`);
      results.set(
        system,
        measured.ok
          ? { ...result, messages: measured.messages, rounds: [...result.rounds, measured.figures] }
          : { ...result, failure: measured.reason },
      );
    }
  }
  const { id, about, figures, reference = 'fanfare' } = scenario;
  return { id, about, figures, reference, systems: [...results.values()] };
}

/** The part of a job that describes what is published, and to which subscribers. */
export function fanOutJob(
  { subscribers, topics, subscribersPerTopic, messageBytes, publishing }: FanOutShape,
  messages: number | undefined,
): Pick<
  Extract<Job, { kind: 'fan-out' }>,
  'kind' | 'subscribers' | 'topics' | 'subscribersPerTopic' | 'messageBytes' | 'publishing' | 'messages'
> {
  return { kind: 'fan-out', subscribers, topics, subscribersPerTopic, messageBytes, publishing, messages };
}

/** Start options for a server whose log is read. */
const replayStart: StartOptions = { keepsAll: true, hasUsualOutbox: true, watchesLoop: true };

/** The part of a job that describes what is read. */
export function replayTarget(
  { name }: System,
  topic: string,
): Pick<Extract<Job, { kind: 'replay' }>, 'kind' | 'topic' | 'stored'> {
  return { kind: 'replay', topic, stored: name === 'fanfare-disk' ? 'disk' : 'memory' };
}

/** Runs one job against the server, in a load process of its own. */
export async function runLoad(job: Job, server: RunningServer, processes: Processes): Promise<LoadResult> {
  const [result] = await runLoads([job], server, processes);
  return result ?? { ok: false, reason: 'There is no result.' };
}

/**
 * Runs jobs in one load process, one after the other.
 *
 * @returns their results, up to the first that failed
 */
export async function runLoads(
  jobs: readonly Job[],
  server: RunningServer,
  processes: Processes,
): Promise<readonly LoadResult[]> {
  const results = await loadResults(jobs, processes);
  const last = results.at(-1);
  const death = last?.ok === false ? await server.death() : undefined;
  if (last?.ok !== false || death === undefined) return results;
  return [...results.slice(0, -1), { ok: false, reason: `${last.reason} ${death}` }];
}

function loadResults(jobs: readonly Job[], processes: Processes): Promise<readonly LoadResult[]> {
  return new Promise((resolve) => {
    const load = processes.startLoad(compiled('load/main.js'));
    const results: LoadResult[] = [];
    const fail = (reason: string): void => resolve([...results, { ok: false, reason }]);
    const sendNext = (): void => {
      const job = jobs[results.length];
      if (job && results.at(-1)?.ok !== false) return void load.send(job);
      resolve(results);
      load.kill();
    };
    load.on('message', (message) => {
      results.push(message as LoadResult);
      sendNext();
    });
    load.once('error', (error) => fail(`The load: ${error.message}`));
    load.once('close', () => fail('The load ended without a result.'));
    sendNext();
  });
}

async function measureOnce(
  scenario: Scenario,
  system: System,
  messages: number,
  processes: Processes,
): Promise<LoadResult> {
  let server: RunningServer;
  try {
    server = await system.start(processes, startOptionsOf(scenario));
  } catch (error) {
    return { ok: false, reason: error instanceof Error ? error.message : String(error) };
  }
  try {
    return await runLoad(jobOf(scenario, system, server, messages), server, processes);
  } finally {
    await server.stop();
  }
}

function startOptionsOf(scenario: Scenario): StartOptions {
  switch (scenario.kind) {
    case 'batches':
      return { keepsAll: scenario.shape.keepsAll };
    case 'replay':
      return replayStart;
    case 'strangers':
      return { hasUsualOutbox: true, isAsItComes: true };
    default:
      return {};
  }
}

function jobOf(
  scenario: Scenario,
  system: System,
  { port, pid, besides, loopDelayPath }: RunningServer,
  messages: number,
): Job {
  const target = { system: system.name, port, pid, besides, timeoutMs };
  switch (scenario.kind) {
    case 'fan-out':
      return { ...target, ...fanOutJob(scenario.shape, messages || undefined), warmUpMs, stretchMs };
    case 'batches':
      return {
        ...target,
        kind: 'batches',
        topic: usualTopic,
        ...scenario.shape,
        messages: messages || undefined,
        warmUpMs,
        stretchMs,
      };
    case 'replay':
      return { ...target, ...scenario.shape, ...replayTarget(system, usualTopic), loopDelayPath };
    case 'connect':
    case 'idle':
    case 'strangers':
      return { ...scenario, ...target };
  }
}
