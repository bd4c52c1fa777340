import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { redisBatchWire } from '../wire/redis-batches.ts';
import { startRedis } from './redis.ts';
import { findProgram, printedVersion, type System } from './system.ts';

/** Redis streams, with an fsync before every answer. */
export const redisStreams: System = {
  name: 'redis-streams',
  wire: undefined,
  batches: redisBatchWire,
  publishing: [],
  isOnlyWhereNamed: true,
  missing: () => (findProgram('redis-server') === undefined ? 'redis-server' : undefined),
  version: () => printedVersion(findProgram('redis-server') ?? 'redis-server', ['--version']),
  start: async (processes) => {
    const directory = mkdtempSync(join(processes.directory, 'redis-'));
    const running = await startRedis(
      processes,
      [
        ['--appendonly', 'yes'],
        ['--appendfsync', 'always'],
        ['--dir', directory],
      ].flat(),
    );
    const stop = async (): Promise<void> => {
      await running.stop();
      rmSync(directory, { recursive: true, force: true });
    };
    return { ...running, stop };
  },
};
