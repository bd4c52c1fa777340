import type { Processes, RunningServer } from '../processes.ts';
import { startFanfare } from '../systems/fanfare.ts';
import { startRedis } from '../systems/redis.ts';
import type { AppendsFigures, AppendsJob } from './jobs.ts';
import { addRound, renderRounds, type Column, type Part, type PartOptions, type PartResult } from './part.ts';
import { runJob } from './run-job.ts';

interface Shape extends Pick<AppendsJob, 'topics' | 'keepCount'> {
  readonly name: string;
}

/** In each, a batch has 64 messages. A topic that keeps 1,000 loses one with each new one. */
const shapes: readonly Shape[] = [
  { name: '100 topics', topics: 100, keepCount: 1e9 },
  { name: '100 topics that keep 1,000', topics: 100, keepCount: 1_000 },
  { name: 'one topic', topics: 1, keepCount: 1e9 },
];

/** What is called, and how many nodes follow. */
const ways = [
  { name: 'append', calls: 'append', followers: 0 },
  { name: 'append, one node follows', calls: 'append', followers: 1 },
  { name: 'pushes alone', calls: 'pushes', followers: 0 },
] as const;

const common = { batchMessages: 64, messageBytes: 256 };
const times = { warmUpMs: 3_000, stretchMs: 4_000, timeoutMs: 60_000 };
const smallTimes: typeof times = { warmUpMs: 50, stretchMs: 200, timeoutMs: 30_000 };

interface Figures extends AppendsFigures {
  /** Per second of Redis's CPU time, as a share of pushes alone. */
  readonly cpuRatio: number;
  readonly rateRatio: number;
}

const columns: readonly Column<keyof Figures>[] = [
  { name: 'redisUs', title: 'Redis, CPU per message, µs', digits: 2 },
  { name: 'cpuRatio', title: 'to pushes alone', digits: 2 },
  { name: 'messagesPerSecond', title: 'messages/s', digits: 0 },
  { name: 'rateRatio', title: 'to pushes alone', digits: 2 },
  { name: 'waitingPercent', title: 'waiting, %', digits: 0 },
  { name: 'loadPercent', title: 'load busy, %', digits: 0 },
];

/** How many messages one Redis can append. */
export const appends: Part = {
  id: 'appends',
  about:
    'appends of batches of 64 messages (256 B) to one Redis, 4 batches in flight, beside a function that has ' +
    'the same arguments and only pushes the messages to the lists of their topics',
  placement: 'Redis and the node that follows run on processor 0, the load on processor 1.',
  run,
};

async function run({ processes, rounds, markdown, isSmall, onProgress }: PartOptions): Promise<PartResult> {
  const results = new Map<string, Figures[]>();
  for (let round = 1; round <= rounds; round++) {
    for (const shape of isSmall ? shapes.slice(1, 2) : shapes) {
      onProgress(`appends, round ${round} of ${rounds}: ${shape.name}`);
      for (const [label, figures] of await measureShape(processes, shape, isSmall))
        addRound(results, label, figures);
    }
  }
  return { text: renderRounds(appends, columns, results, markdown), figures: Object.fromEntries(results) };
}

/** @returns the figures by row: all ways one after the other, each with a fresh Redis */
async function measureShape(
  processes: Processes,
  shape: Shape,
  isSmall: boolean,
): Promise<ReadonlyMap<string, Figures>> {
  const measured = new Map<string, AppendsFigures>();
  for (const way of ways) measured.set(way.name, await measureOnce(processes, shape, way, isSmall));
  const pushes = measured.get('pushes alone');
  return new Map(
    [...measured].map(([name, figures]) => [
      `${shape.name}: ${name}`,
      {
        ...figures,
        cpuRatio: (pushes?.redisUs ?? Number.NaN) / figures.redisUs,
        rateRatio: figures.messagesPerSecond / (pushes?.messagesPerSecond ?? Number.NaN),
      },
    ]),
  );
}

async function measureOnce(
  processes: Processes,
  { topics, keepCount }: Shape,
  { calls, followers }: (typeof ways)[number],
  isSmall: boolean,
): Promise<AppendsFigures> {
  const redis = await startRedis(processes, ['--appendonly', 'no']);
  const running: RunningServer[] = [redis];
  try {
    const onRedis = ['--redis', `redis://127.0.0.1:${redis.port}`];
    if (followers > 0) running.unshift(await startFanfare(processes, {}, onRedis));
    const { port, pid } = redis;
    const job = { kind: 'appends', calls, topics, keepCount, redis: { port, pid }, ...common } as const;
    return await runJob<AppendsFigures>(processes, { ...job, ...(isSmall ? smallTimes : times) });
  } finally {
    for (const server of running) await server.stop();
  }
}
