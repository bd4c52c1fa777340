import { settingKinds } from '@fanfare/server/settings';
import { parseRedisUrl, type LogPlace } from '@fanfare/server/store';
import { CommandError, exitCodes } from './exit-codes.ts';

/** A log on Redis. */
export interface RedisPlace {
  readonly place: LogPlace;
  /** Names it for people, without its password. */
  readonly name: string;
}

const prefixForm = /^[\w.-]{1,64}$/;

/**
 * Reads the options `--redis` and `--redis-prefix`.
 *
 * @throws CommandError `usage`. Its message has no password
 */
export function redisPlaceOf(url: string, prefix: string = settingKinds.redisPrefix.default): RedisPlace {
  if (!prefixForm.test(prefix))
    throw new CommandError(
      exitCodes.usage,
      '--redis-prefix must be 1 to 64 letters, digits, dots, hyphens and underscores.',
    );
  try {
    const place = { servers: parseRedisUrl(url), prefix: `{${prefix}}:` };
    return { place, name: `${url.replace(/\/\/[^/]*@/, '//')} (prefix ${prefix})` };
  } catch (error) {
    throw new CommandError(exitCodes.usage, `--redis: ${(error as Error).message}`);
  }
}
