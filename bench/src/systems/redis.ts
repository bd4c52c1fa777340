import { freePort } from '../free-port.ts';
import type { Processes, RunningServer } from '../processes.ts';
import { redisWire } from '../wire/redis.ts';
import { findProgram, printedVersion, type System } from './system.ts';

const settings = [
  ['--bind', '127.0.0.1'],
  ['--save', ''],
  ['--maxclients', '20000'],
  ['--client-output-buffer-limit', 'pubsub', '0', '0', '0'],
].flat();

/** Redis with PUBLISH and SUBSCRIBE. */
export const redis: System = {
  name: 'redis',
  wire: redisWire,
  publishing: ['socket'],
  missing: () => (findProgram('redis-server') === undefined ? 'redis-server' : undefined),
  version: () => printedVersion(findProgram('redis-server') ?? 'redis-server', ['--version']),
  start: (processes) => startRedis(processes, ['--appendonly', 'no']),
};

/** @param storing - the settings for storage on disk */
export async function startRedis(processes: Processes, storing: readonly string[]): Promise<RunningServer> {
  const port = await freePort();
  const running = await processes.startServer({
    command: findProgram('redis-server') ?? 'redis-server',
    args: ['--port', String(port), ...settings, ...storing],
    ready: /Ready to accept connections/,
  });
  return { ...running, port };
}
