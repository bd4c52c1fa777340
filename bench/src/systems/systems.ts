import { fanfare } from './fanfare.ts';
import type { SystemName } from './names.ts';
import { redis } from './redis.ts';
import { socketIo } from './socket-io.ts';
import type { System } from './system.ts';
import { ws } from './ws.ts';

/** In the order of the tables. */
export const systems: readonly System[] = [fanfare, socketIo, ws, redis];

export function systemOf(name: SystemName): System {
  const system = systems.find((each) => each.name === name);
  if (!system) throw new Error(`There is no system '${name}'.`);
  return system;
}
