import { isRedisPrefix, keyPrefixOf, settingKinds } from '@fanfare/server/settings';
import { parseRedisUrl, type LogPlace } from '@fanfare/server/store';
import { withoutPassword } from './display-text.ts';
import { CommandError, exitCodes } from './exit-codes.ts';

/** A log on Redis. */
export interface RedisPlace {
  readonly place: LogPlace;
  /** Names it for people, without its password. */
  readonly name: string;
}

/**
 * Reads the options `--redis` and `--redis-prefix`.
 *
 * @throws CommandError `usage`. Its message has no password
 */
export function redisPlaceOf(url: string, prefix: string = settingKinds.redisPrefix.default): RedisPlace {
  if (!isRedisPrefix(prefix))
    throw new CommandError(
      exitCodes.usage,
      '--redis-prefix must be 1 to 64 letters, digits, dots, hyphens and underscores.',
    );
  try {
    const place = { servers: parseRedisUrl(url), prefix: keyPrefixOf(prefix) };
    return { place, name: `${withoutPassword(url)} (prefix ${prefix})` };
  } catch (error) {
    throw new CommandError(exitCodes.usage, `--redis: ${(error as Error).message}`);
  }
}
