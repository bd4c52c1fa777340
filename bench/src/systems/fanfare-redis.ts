import { httpBatchWire } from '../wire/http-batches.ts';
import { common, keepAll, keepNothing, startFanfare } from './fanfare.ts';
import type { SystemName } from './names.ts';
import { startAlone, startPair } from './pair.ts';
import { redis } from './redis.ts';
import type { StartOptions, System } from './system.ts';

/** One node of Fanfare on a Redis of its own, which keeps nothing, like `fanfare`. */
export const fanfareRedis: System = alone('fanfare-redis', 'none');

/** The same with the default rule. Redis keeps the messages in memory. */
export const fanfareRedisKept: System = alone('fanfare-redis-kept', 'memory');

/** Two nodes: one for the publishers, one for the subscribers. */
export const fanfarePair: System = pair('fanfare-pair', 'none');

export const fanfarePairKept: System = pair('fanfare-pair-kept', 'memory');

function alone(name: SystemName, stores: 'none' | 'memory'): System {
  return { ...onRedis(name, stores, startAlone), batches: httpBatchWire(stores) };
}

function pair(name: SystemName, stores: 'none' | 'memory'): System {
  return { ...onRedis(name, stores, startPair), isOnlyWhereNamed: true };
}

function onRedis(name: SystemName, stores: 'none' | 'memory', startNodes: typeof startPair): System {
  const keeping = ({ keepsAll }: StartOptions): readonly string[] =>
    stores === 'none' ? keepNothing : keepsAll ? keepAll : [];
  return {
    ...common,
    name,
    missing: () => redis.missing(),
    start: (processes, options = {}) =>
      startNodes(processes, (redisPort, processor) => {
        const flags = ['--redis', `redis://127.0.0.1:${redisPort}`, ...keeping(options)];
        return startFanfare(processes, options, flags, processor);
      }),
  };
}
