import { errorCodes, FanfareError, type ErrorCode } from '@fanfare/protocol';
import type { ClientRefusalLog } from './client-refusal-log.ts';
import type { Logger } from './logger.ts';
import { suppressRepeats } from './repeat-suppression.ts';

/** The number of refusals that clients got, by their codes. */
export type RefusalCounts = Record<ErrorCode, number>;

/** Logs the failures that requests cause, and counts all refusals. */
export interface RequestLogger extends Logger {
  readonly refusals: RefusalCounts;
  readonly refusalLog: Pick<ClientRefusalLog, 'logRefusal'>;
}

/** @param monotonicMs - a clock that never goes back, in milliseconds */
export function requestLoggerOf(
  logger: Logger,
  refusalLog: RequestLogger['refusalLog'],
  monotonicMs: () => number,
): RequestLogger {
  const codes = Object.keys(errorCodes) as ErrorCode[];
  const refusals = Object.fromEntries(codes.map((code) => [code, 0])) as RefusalCounts;
  return { ...suppressRepeats(logger, monotonicMs), refusals, refusalLog };
}

/**
 * Turns an error into the refusal for the client, and counts it. An error that is not meant for clients is
 * logged, and the client gets only `internal`.
 */
export function asRefusal(error: unknown, logger: RequestLogger): FanfareError {
  const refusal = refusalOf(error, logger);
  logger.refusals[refusal.code]++;
  logger.refusalLog.logRefusal(refusal);
  return refusal;
}

function refusalOf(error: unknown, logger: Logger): FanfareError {
  if (!(error instanceof FanfareError)) {
    logger.error({ err: error }, 'a request failed');
    return new FanfareError('internal', 'The server failed to handle this request. The failure was logged.');
  }
  if (error.cause !== undefined && error.status >= 500) logger.error({ err: error }, error.message);
  return error;
}
