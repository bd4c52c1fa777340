import type { Stored } from '@fanfare/protocol';
import { ConnectionLostError, RedisRefusedError } from './redis-errors.ts';
import type { RedisLink } from './redis-link.ts';

/** The level at which Redis stores what it acknowledges. */
export type RedisStored = Exclude<Stored, 'none'>;

export interface StoredSettings {
  /** The number of replicas that must confirm each append. */
  readonly replicas: number;
  /** The level if the user of Redis may not read its configuration. */
  readonly stored?: RedisStored | undefined;
}

const versionMin = 7;

/**
 * Checks that a server can carry the log, and finds out at which level it stores.
 *
 * @throws RedisRefusedError if its settings or its version do not allow it; ConnectionLostError if it cannot
 *   carry the log now
 */
export async function checkServer(link: RedisLink, settings: StoredSettings): Promise<RedisStored> {
  const info = parseInfo(String(await link.send('INFO', ['everything'])));
  checkVersion(info, link.server);
  if (info.get('loading') === '1') throw notYet('Redis is loading its data: waiting until it has.');
  if (info.get('role') === 'slave')
    throw notYet(`Redis at ${link.server} is a replica: waiting for the primary.`);
  checkPolicy(info, link.server);
  if (settings.replicas > 0) return 'replicated';
  if (info.get('aof_enabled') !== '1') return 'memory';
  return fsyncLevel(link, settings.stored ?? 'memory');
}

/** `key:value` of each line. */
function parseInfo(text: string): ReadonlyMap<string, string> {
  return new Map(
    text
      .split('\r\n')
      .map((line) => line.split(':'))
      .flatMap(([key, ...value]): [string, string][] =>
        value.length > 0 ? [[key ?? '', value.join(':')]] : [],
      ),
  );
}

/** Valkey names the version of Redis that it is compatible with. */
function checkVersion(info: ReadonlyMap<string, string>, server: string): void {
  const version = info.get('redis_version') ?? 'unknown';
  if (Number.parseInt(version, 10) >= versionMin) return;
  throw new RedisRefusedError(
    `Redis at ${server} has version ${version}. Fanfare needs Redis 7.0 or later, or Valkey.`,
  );
}

/** With another policy, Redis would silently remove parts of the log when its memory is full. */
function checkPolicy(info: ReadonlyMap<string, string>, server: string): void {
  const policy = info.get('maxmemory_policy');
  if (policy === undefined || policy === 'noeviction') return;
  throw new RedisRefusedError(
    `Redis at ${server} has \`maxmemory-policy ${policy}\`, which removes messages silently. Set it to noeviction.`,
  );
}

/** `appendfsync always`: Redis answers after the fsync. `everysec`: up to 2 s before it. */
async function fsyncLevel(link: RedisLink, fallback: RedisStored): Promise<RedisStored> {
  try {
    const [, value] = (await link.send('CONFIG', ['GET', 'appendfsync'])) as readonly unknown[];
    return String(value) === 'always' ? 'disk' : 'memory';
  } catch (error) {
    if (error instanceof ConnectionLostError) throw error;
    return fallback;
  }
}

function notYet(message: string): ConnectionLostError {
  return new ConnectionLostError(message, { isAnswerLost: false });
}
