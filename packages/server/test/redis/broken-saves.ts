import { mkdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import type { RedisServer } from './redis-server.ts';
import type { Fault } from './tcp-proxy.ts';

/** Lets a Redis save to its disk, which fails. Resolves when it refuses writes for it. */
export async function breakSaves(redis: RedisServer): Promise<Fault> {
  // Redis cannot rename its new file to the name of a folder. Not even root can, whom no permission stops.
  const folder = join(redis.directory, 'dump.rdb');
  mkdirSync(folder);
  await redis.configSet('stop-writes-on-bgsave-error', 'yes');
  await redis.configSet('save', '1 1');
  await redis.untilInfo('persistence', /^rdb_last_bgsave_status:err/m);
  return { lift: () => rmdirSync(folder) };
}
