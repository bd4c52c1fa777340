import { lastMarker } from '../continuity/clients-job.ts';
import { Clients } from '../continuity/clients-process.ts';
import { CuttingProxy } from '../continuity/cutting-proxy.ts';
import type { Verdict } from '../continuity/judge.ts';
import { Publisher } from '../continuity/publisher.ts';
import { freePort } from '../free-port.ts';
import type { Processes, RunningServer } from '../processes.ts';
import { firstDeath } from '../systems/pair.ts';
import { judgePublishers, secondFrom } from './judge-publishers.ts';
import type { NodeContestant } from './node-contestants.ts';
import { interruptRepeatedly, type RedisInterruption, type RedisSpan } from './redis-interruptions.ts';
import { RestartableRedis } from './restartable-redis.ts';

export interface RunOptions {
  readonly processes: Processes;
  /** Of each node. */
  readonly subscribers: number;
  /** Of each node's publisher. */
  readonly messagesPerSecond: number;
  readonly span: RedisSpan;
}

/** The messages that were published on one node and delivered by one node. */
export interface PathVerdict extends Verdict {
  /** The nodes of publishers and subscribers. Node B is behind the proxy. */
  readonly path: 'A → A' | 'B → A' | 'A → B' | 'B → B';
}

export interface NodesVerdict {
  readonly paths: readonly PathVerdict[];
  /** The longest time until a publish on node A was acknowledged, and on node B, in milliseconds. */
  readonly longestMs: readonly [number, number];
}

/** Markers: published on A and on B before the first message, and on B and on A after the last message. */
const markers = { begun: [-1, -3], ended: [-4, lastMarker] } as const;

/** Publishes on two nodes while Redis is interrupted, and judges what the subscribers of each node got. */
export async function runNodes(
  { subscriber: kind, program }: NodeContestant,
  interruption: RedisInterruption,
  { processes, subscribers: count, messagesPerSecond, span }: RunOptions,
): Promise<NodesVerdict> {
  const redis = await RestartableRedis.start(processes);
  const proxy = await CuttingProxy.to(redis.port);
  const servers: RunningServer[] = [];
  const groups: Clients[] = [];
  const publishers: Publisher[] = [];
  const startNode = async (redisPort: number): Promise<number> => {
    const port = await freePort();
    servers.push(await processes.startServer(program(port, redisPort)));
    const job = { kind, url: `http://127.0.0.1:${port}`, count, transport: 'usual' } as const;
    groups.push(new Clients(processes, job));
    return port;
  };
  const mark = async (port: number, marker: number): Promise<void> => {
    for (const clients of groups) await clients.mark(port, marker);
  };
  try {
    const [a, b] = [await startNode(redis.port), await startNode(proxy.port)];
    await mark(a, markers.begun[0]);
    await mark(b, markers.begun[1]);
    const ofA = new Publisher(a, messagesPerSecond);
    const ofB = new Publisher(b, messagesPerSecond, secondFrom);
    publishers.push(ofA, ofB);
    await interruptRepeatedly(interruption, { redis, proxy }, span);
    // A node that ended would be waited for.
    const death = await firstDeath(servers);
    if (death !== undefined) throw new Error(death);
    const published = [await ofA.stop(), await ofB.stop()] as const;
    await mark(b, markers.ended[0]);
    await mark(a, markers.ended[1]);
    const paths: PathVerdict[] = [];
    for (const [at, clients] of groups.entries()) {
      const [fromA, fromB] = judgePublishers(await clients.received(), published);
      paths.push(
        { path: at === 0 ? 'A → A' : 'A → B', ...fromA },
        { path: at === 0 ? 'B → A' : 'B → B', ...fromB },
      );
    }
    return { paths, longestMs: [ofA.longestMs, ofB.longestMs] };
  } finally {
    // Otherwise they would retry for ever.
    for (const publisher of publishers) void publisher.stop();
    for (const clients of groups) clients.stop();
    for (const server of servers) await server.stop();
    proxy.close();
    await redis.stop('SIGKILL');
  }
}
