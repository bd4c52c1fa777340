import { serve, limits } from '../systems/fanfare.ts';
import { startRedis } from '../systems/redis.ts';
import type { Processes, RunningServer } from '../processes.ts';
import { cpuMsBetween, readCpuTime } from '../load/cpu-time.ts';
import { RedisAdmin } from './redis-admin.ts';

/** One Fanfare of several nodes, with the Redis that they share. */
export interface Nodes {
  readonly redis: RunningServer;
  readonly admin: RedisAdmin;
  readonly all: readonly RunningServer[];
  /** Starts one more node. */
  readonly add: () => Promise<RunningServer>;
  readonly stop: () => Promise<void>;
}

export async function startNodes(processes: Processes, count: number): Promise<Nodes> {
  const redis = await startRedis(processes, ['--appendonly', 'no']);
  const admin = new RedisAdmin(redis.port);
  const all: RunningServer[] = [];
  const add = async (): Promise<RunningServer> => {
    const node = await processes.startServer(
      serve(['--port=0', '--redis', `redis://127.0.0.1:${redis.port}`, ...limits]),
    );
    all.push(node);
    return node;
  };
  for (let at = 0; at < count; at++) await add();
  const stop = async (): Promise<void> => {
    admin.close();
    await Promise.all(all.map((node) => node.stop()));
    await redis.stop();
  };
  return { redis, admin, all, add, stop };
}

export interface TwoNodes extends Nodes {
  readonly pair: readonly [RunningServer, RunningServer];
}

export async function startTwoNodes(processes: Processes): Promise<TwoNodes> {
  const nodes = await startNodes(processes, 0);
  return { ...nodes, pair: [await nodes.add(), await nodes.add()] };
}

/**
 * Measures the processor time of servers while something happens, in microseconds.
 *
 * @throws Error where the operating system does not say
 */
export async function cpuUsOf(
  servers: readonly Pick<RunningServer, 'pid'>[],
  work: () => Promise<unknown>,
): Promise<number[]> {
  const before = servers.map(({ pid }) => readCpuTime(pid));
  await work();
  return servers.map(({ pid }, at) => {
    const [first, last] = [before[at], readCpuTime(pid)];
    if (!first || !last) throw new Error('Processor time can be measured on Linux only.');
    return cpuMsBetween(first, last) * 1e3;
  });
}
