import type { Processes, RunningServer } from '../processes.ts';
import { httpBatchWire } from '../wire/http-batches.ts';
import { common, keepAll, keepNothing, startFanfare } from './fanfare.ts';
import type { SystemName } from './names.ts';
import { redis, startRedis } from './redis.ts';
import type { StartOptions, System } from './system.ts';

/** One node of Fanfare on a Redis of its own, which keeps nothing, like `fanfare`. */
export const fanfareRedis: System = onRedis('fanfare-redis', 'none', startNode);

/** The same with the default rule. Redis keeps the messages in memory. */
export const fanfareRedisKept: System = onRedis('fanfare-redis-kept', 'memory', startNode);

/** Two nodes: one for the publishers, one for the subscribers. */
export const fanfarePair: System = { ...onRedis('fanfare-pair', 'none', startPair), isOnlyWhereNamed: true };

export const fanfarePairKept: System = {
  ...onRedis('fanfare-pair-kept', 'memory', startPair),
  isOnlyWhereNamed: true,
};

type StartNodes = (
  processes: Processes,
  options: StartOptions,
  flags: readonly string[],
  redisPid: number,
) => Promise<RunningServer>;

function onRedis(name: SystemName, stores: 'none' | 'memory', startNodes: StartNodes): System {
  const keeping = ({ keepsAll }: StartOptions): readonly string[] =>
    stores === 'none' ? keepNothing : keepsAll ? keepAll : [];
  return {
    ...common,
    name,
    batches: httpBatchWire(stores),
    missing: () => redis.missing(),
    start: async (processes, options = {}) => {
      const server = await startRedis(processes, ['--appendonly', 'no']);
      const flags = ['--redis', `redis://127.0.0.1:${server.port}`, ...keeping(options)];
      try {
        const running = await startNodes(processes, options, flags, server.pid);
        const stop = async (): Promise<void> => {
          await running.stop();
          await server.stop();
        };
        return { ...running, stop };
      } catch (error) {
        await server.stop();
        throw error;
      }
    },
  };
}

async function startNode(
  ...[processes, options, flags, redisPid]: Parameters<StartNodes>
): Promise<RunningServer> {
  return { ...(await startFanfare(processes, options, flags)), besides: { redisPid } };
}

/** The node of the publishers runs beside the load. */
async function startPair(
  ...[processes, options, flags, redisPid]: Parameters<StartNodes>
): Promise<RunningServer> {
  const publishers = await startFanfare(processes, options, flags, 'load');
  const subscribers = await startFanfare(processes, options, flags);
  const stop = async (): Promise<void> => {
    await Promise.all([publishers.stop(), subscribers.stop()]);
  };
  const { port, pid } = publishers;
  return { ...subscribers, stop, besides: { redisPid, publishers: { port, pid } } };
}
