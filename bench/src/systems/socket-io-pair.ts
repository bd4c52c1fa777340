import { compiled } from '../paths.ts';
import type { Program } from '../processes.ts';
import { socketIoWire } from '../wire/socket-io.ts';
import type { SystemName } from './names.ts';
import { startPair } from './pair.ts';
import { redis } from './redis.ts';
import { packageVersion, type System } from './system.ts';

type Adapter = 'redis' | 'redis-streams';

/** Two servers of Socket.IO, which `@socket.io/redis-adapter` connects. */
export const socketIoPair: System = pair('socket.io-pair', 'redis');

export const socketIoPairStreams: System = pair('socket.io-pair-streams', 'redis-streams');

function pair(name: SystemName, adapter: Adapter): System {
  return {
    name,
    wire: socketIoWire,
    isOnlyWhereNamed: true,
    publishing: ['socket'],
    missing: () => redis.missing(),
    version: () =>
      `${versionOf('socket.io')} with ${adapter}-adapter ${versionOf(`@socket.io/${adapter}-adapter`)}`,
    start: (processes) =>
      startPair(processes, (redisPort, processor = 'server') =>
        processes.startServer({ ...socketIoNode(adapter, 0, redisPort), processor }),
      ),
  };
}

const versionOf = (name: string): string => packageVersion(`node_modules/${name}`);

/**
 * @param port - 0 for any free port
 * @param recovery - whether connection state recovery is on, which only the adapter over streams supports
 */
export function socketIoNode(adapter: Adapter, port: number, redisPort: number, recovery = false): Program {
  return {
    command: process.execPath,
    args: [compiled('servers/socket-io-node.js')],
    env: {
      PORT: String(port),
      REDIS_PORT: String(redisPort),
      ADAPTER: adapter,
      RECOVERY: recovery ? '1' : '',
    },
    ready: /port (?<port>\d+)/,
  };
}
