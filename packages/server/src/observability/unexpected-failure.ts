import { FanfareError } from '@fanfare/protocol';
import type { Logger } from './logger.ts';

/**
 * What a client is told about an error. An error that is not meant for clients is logged, and the client only learns
 * `internal`.
 */
export function asRefusal(error: unknown, logger: Logger): FanfareError {
  if (!(error instanceof FanfareError)) {
    logger.error({ err: error }, 'a request failed');
    return new FanfareError('internal', 'The server failed to handle this request. The failure was logged.');
  }
  if (error.cause !== undefined && error.status >= 500) logger.error({ err: error }, error.message);
  return error;
}
