import type { Processes } from './processes.ts';
import { fanOutJob, runLoad } from './run.ts';
import { http32, topics100, type FanOutShape } from './scenarios.ts';
import type { System } from './systems/system.ts';

interface SmallScenario {
  readonly id: string;
  readonly shape: FanOutShape;
  readonly messages: number;
}

const few = { subscribers: 20, subscribersPerTopic: 20 };
const oneTopic = { ...topics100, ...few, topics: 1 };

/** The measured scenarios in small. */
const smallScenarios: readonly SmallScenario[] = [
  { id: 'window-1', shape: { ...oneTopic, publishing: { over: 'socket', window: 1 } }, messages: 100 },
  { id: 'window-64', shape: oneTopic, messages: 500 },
  { id: 'topics-100', shape: { ...topics100, subscribers: 20, subscribersPerTopic: 5 }, messages: 500 },
  { id: 'http-32', shape: { ...http32, ...few, withBareHttp: true }, messages: 100 },
];

const timeoutMs = 15_000;

/**
 * Sees that what a system delivers is what was published.
 *
 * @returns the ids of the scenarios that it took part in
 * @throws Error with what was wrong
 */
export async function smoke(system: System, processes: Processes): Promise<readonly string[]> {
  const server = await system.start(processes);
  try {
    const mine = smallScenarios.filter(
      ({ shape }) => system.publishing.includes(shape.publishing.over) && (system.wire ?? shape.withBareHttp),
    );
    for (const { id, shape, messages } of mine) {
      const target = { system: system.name, port: server.port, pid: server.pid, timeoutMs };
      const job = { ...target, ...fanOutJob(shape, messages), warmUpMs: 0, stretchMs: 0 };
      const result = await runLoad(job, server, processes);
      if (!result.ok) throw new Error(`${id}: ${result.reason}`);
    }
    return mine.map(({ id }) => id);
  } finally {
    await server.stop();
  }
}
