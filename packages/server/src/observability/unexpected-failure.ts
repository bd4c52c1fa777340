import { FanfareError } from '@fanfare/protocol';
import type { Logger } from './logger.ts';

/**
 * Turns an error into the refusal for the client. An error that is not meant for clients is logged, and the
 * client gets only `internal`.
 */
export function asRefusal(error: unknown, logger: Logger): FanfareError {
  if (!(error instanceof FanfareError)) {
    logger.error({ err: error }, 'a request failed');
    return new FanfareError('internal', 'The server failed to handle this request. The failure was logged.');
  }
  if (error.cause !== undefined && error.status >= 500) logger.error({ err: error }, error.message);
  return error;
}
