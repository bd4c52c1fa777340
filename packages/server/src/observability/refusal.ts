import { FanfareError } from '@fanfare/protocol';
import type { Logger } from './logger.ts';

/**
 * What a client is told of something thrown. An error that is not meant for clients is logged, and the client
 * learns no more than `internal`.
 */
export function asRefusal(error: unknown, logger: Logger): FanfareError {
  if (!(error instanceof FanfareError)) {
    logger.error({ err: error }, 'a request failed');
    return new FanfareError('internal', 'The server failed to do this. It has been logged.');
  }
  if (error.cause !== undefined && error.status >= 500) logger.error({ err: error }, error.message);
  return error;
}
