import type { Processes, RunningServer } from '../processes.ts';
import { startFanfare } from '../systems/fanfare.ts';
import { startRedis } from '../systems/redis.ts';
import { median } from '../table.ts';
import type { AcknowledgementFigures, Times } from './jobs.ts';
import { addRound, renderRounds, type Column, type Part, type PartOptions, type PartResult } from './part.ts';
import { runJob } from './run-job.ts';

const columns: readonly Column<keyof Times>[] = [
  { name: 'p50Ms', title: 'p50, ms', digits: 3 },
  { name: 'p99Ms', title: 'p99, ms', digits: 3 },
];

/** The time from a publish to its acknowledgement, beside a round trip of the function that stores it. */
export const acknowledgement: Part = {
  id: 'acknowledgement',
  about:
    'one publish of 256 B at a time: until its acknowledgement, beside round trips of the same function of ' +
    'Redis, with the same arguments over the same kind of connection',
  placement:
    'Redis and the servers run on processor 0; the load, which also contains the log of the first two rows, ' +
    'on processor 1.',
  run,
};

async function run({ processes, rounds, markdown, isSmall, onProgress }: PartOptions): Promise<PartResult> {
  const results = new Map<string, Times[]>();
  for (let round = 1; round <= rounds; round++) {
    onProgress(`acknowledgement, round ${round} of ${rounds}`);
    for (const [label, times] of Object.entries(await measureOnce(processes, isSmall)))
      addRound(results, label, times);
  }
  const [trips = [], appends = []] = [...results.values()];
  const more = trips.map(({ p50Ms }, round) => ((appends[round]?.p50Ms ?? Number.NaN) - p50Ms) * 1e3);
  const sentence = `An append takes ${median(more).toFixed(0)} µs more than a round trip, at p50.`;
  const table = renderRounds(acknowledgement, columns, results, markdown);
  return { text: `${table}\n${sentence}\n`, figures: Object.fromEntries(results) };
}

async function measureOnce(processes: Processes, isSmall: boolean): Promise<AcknowledgementFigures> {
  const running: RunningServer[] = [];
  const started = async (server: Promise<RunningServer>): Promise<RunningServer> => {
    running.unshift(await server);
    return server;
  };
  try {
    const redis = await started(startRedis(processes, ['--appendonly', 'no']));
    const flags = ['--redis', `redis://127.0.0.1:${redis.port}`];
    const node = await started(startFanfare(processes, {}, flags));
    const alone = await started(startFanfare(processes, {}, ['--memory']));
    return await runJob<AcknowledgementFigures>(processes, {
      kind: 'acknowledgement',
      redisPort: redis.port,
      nodePort: node.port,
      alonePort: alone.port,
      messageBytes: 256,
      perTurn: isSmall ? 5 : 50,
      turns: isSmall ? 2 : 60,
      warmUpTurns: isSmall ? 1 : 20,
      timeoutMs: 60_000,
    });
  } finally {
    for (const server of running) await server.stop();
  }
}
