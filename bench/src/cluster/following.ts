import type { ChildProcess } from 'node:child_process';
import { compiled } from '../paths.ts';
import type { Processes } from '../processes.ts';
import { startFanfare } from '../systems/fanfare.ts';
import { startRedis } from '../systems/redis.ts';
import type { FollowingFigures, FollowingJob } from './jobs.ts';
import { addRound, renderRounds, type Column, type Part, type PartOptions, type PartResult } from './part.ts';
import { runJob } from './run-job.ts';

type Shape = Pick<FollowingJob, 'messagesPerSecond' | 'batchMessages'>;

/** The names of the rows. */
const shapes: Readonly<Record<string, Shape>> = {
  '40,000/s, 64 in a batch': { messagesPerSecond: 40_000, batchMessages: 64 },
  '10,000/s, 16 in a batch': { messagesPerSecond: 10_000, batchMessages: 16 },
};
const smallShapes: typeof shapes = { small: { messagesPerSecond: 4_000, batchMessages: 16 } };

const common = { topics: 100, messageBytes: 256 };
const times = { idleMs: 3_000, warmUpMs: 3_000, stretchMs: 10_000, timeoutMs: 120_000 };
const smallTimes: typeof times = { idleMs: 100, warmUpMs: 300, stretchMs: 500, timeoutMs: 30_000 };

type Figures = FollowingFigures & { readonly perFrame: number };

const columns: readonly Column<keyof Figures>[] = [
  { name: 'followerUs', title: 'follower, CPU per message, µs', digits: 2 },
  { name: 'readerUs', title: 'bare reader, µs', digits: 2 },
  { name: 'redisUs', title: 'Redis, µs', digits: 2 },
  { name: 'messagesPerSecond', title: 'messages/s', digits: 0 },
  { name: 'perFrame', title: 'messages per frame', digits: 0 },
  { name: 'idlePercent', title: 'follower without messages, %', digits: 2 },
  { name: 'waitingPercent', title: 'waiting, %', digits: 0 },
  { name: 'loadPercent', title: 'load busy, %', digits: 0 },
];

/** The CPU time of a node for a message that none of its clients wants. */
export const following: Part = {
  id: 'following',
  about:
    'CPU time of a node for each message that none of its clients wants (256 B, 100 topics; the load calls ' +
    'the function `append` itself; a bare reader only reads the channel of Redis)',
  placement: 'The follower and Redis run on processor 0; the load and the bare reader on processor 1.',
  run,
};

async function run({ processes, rounds, markdown, isSmall, onProgress }: PartOptions): Promise<PartResult> {
  const results = new Map<string, Figures[]>();
  const chosen = isSmall ? smallShapes : shapes;
  for (let round = 1; round <= rounds; round++) {
    for (const [label, shape] of Object.entries(chosen)) {
      onProgress(`following, round ${round} of ${rounds}: ${label}`);
      addRound(results, label, await measureOnce(processes, shape, isSmall));
    }
  }
  return { text: renderRounds(following, columns, results, markdown), figures: Object.fromEntries(results) };
}

async function measureOnce(processes: Processes, shape: Shape, isSmall: boolean): Promise<Figures> {
  const redis = await startRedis(processes, ['--appendonly', 'no']);
  const running = [redis];
  try {
    const follower = await startFanfare(processes, {}, ['--redis', `redis://127.0.0.1:${redis.port}`]);
    running.unshift(follower);
    const reader = await startReader(processes, redis.port);
    const before = await framesOf(reader);
    const figures = await runJob<FollowingFigures>(processes, {
      kind: 'following',
      ...shape,
      follower: { port: follower.port, pid: follower.pid },
      redis: { port: redis.port, pid: redis.pid },
      readerPid: reader.pid ?? 0,
      ...common,
      ...(isSmall ? smallTimes : times),
    });
    const frames = (await framesOf(reader)) - before;
    reader.kill();
    return { ...figures, perFrame: figures.published / frames };
  } finally {
    for (const server of running) await server.stop();
  }
}

async function startReader(processes: Processes, redisPort: number): Promise<ChildProcess> {
  const reader = processes.startLoad(compiled('cluster/frame-reader.js'), [
    String(redisPort),
    '{fanfare}:frames',
  ]);
  await messageOf(reader);
  return reader;
}

async function framesOf(reader: ChildProcess): Promise<number> {
  reader.send('frames');
  return Number(await messageOf(reader));
}

function messageOf(child: ChildProcess): Promise<unknown> {
  return new Promise((resolve, reject) => {
    child.once('message', resolve);
    child.once('close', () => reject(new Error('The reader of frames ended.')));
  });
}
