import { fanfarePair, fanfarePairKept, fanfareRedis, fanfareRedisKept } from './fanfare-redis.ts';
import { fanfare, fanfareDisk, fanfareDiskGuarded, fanfareGuarded, fanfareMemory } from './fanfare.ts';
import { flaskSocketIo } from './flask-socketio.ts';
import { mosquitto } from './mosquitto.ts';
import type { SystemName } from './names.ts';
import { nats } from './nats.ts';
import { nodeHttp } from './node-http.ts';
import { redisStreams } from './redis-streams.ts';
import { redis } from './redis.ts';
import { socketIoPair, socketIoPairStreams } from './socket-io-pair.ts';
import { socketIo } from './socket-io.ts';
import type { System } from './system.ts';
import { ws } from './ws.ts';

/** In the order of the tables. */
const byName: Readonly<Record<SystemName, System>> = {
  fanfare,
  'fanfare-disk': fanfareDisk,
  'fanfare-memory': fanfareMemory,
  'fanfare-guarded': fanfareGuarded,
  'fanfare-disk-guarded': fanfareDiskGuarded,
  'fanfare-redis': fanfareRedis,
  'fanfare-redis-kept': fanfareRedisKept,
  'fanfare-pair': fanfarePair,
  'fanfare-pair-kept': fanfarePairKept,
  'socket.io': socketIo,
  'socket.io-pair': socketIoPair,
  'socket.io-pair-streams': socketIoPairStreams,
  ws,
  mosquitto,
  nats,
  redis,
  'redis-streams': redisStreams,
  'flask-socketio': flaskSocketIo,
  'node:http': nodeHttp,
};

export const systems: readonly System[] = Object.values(byName);

export function systemOf(name: SystemName): System {
  return byName[name];
}
