import type { Processes, Program, RunningServer } from '../processes.ts';
import { startRedis } from './redis.ts';

/** Starts a node of a system whose nodes share a Redis. */
export type StartNode = (redisPort: number, processor?: Program['processor']) => Promise<RunningServer>;

/** One node on a Redis of its own, which stores nothing on disk. */
export function startAlone(processes: Processes, startNode: StartNode): Promise<RunningServer> {
  return startAround(processes, async ({ port, pid }) => ({
    ...(await startNode(port)),
    besides: { redisPid: pid },
  }));
}

/** Two nodes: one for the publishers, which runs beside the load, and one for the subscribers. */
export function startPair(processes: Processes, startNode: StartNode): Promise<RunningServer> {
  return startAround(processes, async (redis) => {
    const publishers = await startNode(redis.port, 'load');
    const subscribers = await startNode(redis.port);
    const stop = async (): Promise<void> => {
      await Promise.all([publishers.stop(), subscribers.stop()]);
    };
    const { port, pid } = publishers;
    return {
      ...subscribers,
      stop,
      death: () => firstDeath([redis, publishers, subscribers]),
      besides: { redisPid: redis.pid, publishers: { port, pid } },
    };
  });
}

async function startAround(
  processes: Processes,
  startNodes: (redis: RunningServer) => Promise<RunningServer>,
): Promise<RunningServer> {
  const redis = await startRedis(processes, ['--appendonly', 'no']);
  try {
    const nodes = await startNodes(redis);
    const stop = async (): Promise<void> => {
      await nodes.stop();
      await redis.stop();
    };
    return { ...nodes, stop };
  } catch (error) {
    await redis.stop();
    throw error;
  }
}

/** How the first of some servers ended. Undefined if all are still alive after a moment. */
export async function firstDeath(servers: readonly RunningServer[]): Promise<string | undefined> {
  const deaths = await Promise.all(servers.map((server) => server.death()));
  return deaths.find((death) => death !== undefined);
}
