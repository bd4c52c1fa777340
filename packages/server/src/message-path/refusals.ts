import { FanfareError, messageDepthMax, refuseField, type Interest, type Topic } from '@fanfare/protocol';
import {
  LogBusyError,
  LogClosedError,
  LogDamagedError,
  LogFullError,
  LogUncertainError,
  LogUnwritableError,
  type TopicLog,
} from '../log/topic-log.ts';

const logErrors = [LogBusyError, LogClosedError, LogDamagedError, LogFullError, LogUnwritableError] as const;

/** The refusals that several steps of the message path use. Each step throws or returns them. */

export function topicNotFound(topic: Topic): FanfareError {
  return new FanfareError('topic_not_found', `Topic '${topic}' does not exist`);
}

export function topicsExhausted({ topicsMax }: Pick<TopicLog, 'topicsMax'>): FanfareError {
  const detail =
    `Limit of ${topicsMax} topics reached (\`topicsMax\`): each is declared, has subscribers or keeps messages. ` +
    'Delete topics, or raise the limit.';
  return new FanfareError('limit_exceeded', detail);
}

export function notAllowed(what: string, interest: Interest): FanfareError {
  return new FanfareError('not_authorized', `You may not ${what} '${interest}'.`);
}

/** @param bytesMax - the limit that the publish exceeds */
export function tooLarge(bytesMax: number): FanfareError {
  return new FanfareError(
    'payload_too_large',
    `A publish must not be larger than ${bytesMax} bytes (\`publishBytesMax\`, or \`batchBytesMax\` for a batch).`,
  );
}

export function tooDeep(): FanfareError {
  const detail = `The message must not be nested deeper than ${messageDepthMax} levels.`;
  return refuseField('payload_too_deep', 'message', detail);
}

export function tooManyContainers(containersMax: number): FanfareError {
  const detail = `A message must not have more than ${containersMax} arrays and objects (the limit follows \`publishBytesMax\`).`;
  return new FanfareError('payload_too_large', detail);
}

/** @param error - the SyntaxError with the reason, unless `reason` is given */
export function notJson(error: unknown, reason: string = (error as SyntaxError).message): FanfareError {
  const detail = `A publish must be JSON, without NaN and Infinity: ${reason}.`;
  return new FanfareError('bad_request', detail, { cause: error });
}

/** Whether a value is a refusal from {@link notJson}. */
export function isNotJson(refusal: unknown): refusal is FanfareError {
  return refusal instanceof FanfareError && refusal.cause instanceof SyntaxError;
}

/** What a client can do if it is unknown whether its request was carried out. */
const uncertainties = {
  publish: 'The message may have been stored: publish it again with the same `id`.',
  change: 'The change may have been made: send the request again.',
} as const;

/** Turns a failure of the log into a refusal. */
export function storageRefusal(cause: unknown, request: keyof typeof uncertainties): FanfareError {
  if (cause instanceof LogClosedError) return new FanfareError('draining', 'The server is shutting down.');
  if (cause instanceof LogDamagedError) return damaged(cause);
  if (cause instanceof LogBusyError) {
    return new FanfareError('storage_unavailable', cause.message);
  }
  if (cause instanceof LogFullError) {
    return new FanfareError('storage_unavailable', 'There is no space left to store anything.', {
      status: 507,
      cause,
    });
  }
  if (cause instanceof LogUncertainError) {
    return new FanfareError('outcome_unknown', `${cause.summary} ${uncertainties[request]}`, { cause });
  }
  const detail = cause instanceof LogUnwritableError ? cause.summary : 'The log could not store it.';
  return new FanfareError('storage_unavailable', detail, { cause });
}

/** @throws FanfareError the refusal for a failure of the log to store messages */
export function refusePublish(cause: unknown): never {
  throw storageRefusal(cause, 'publish');
}

/** @throws FanfareError the refusal for a failure of the log to change something else */
export function refuseChange(cause: unknown): never {
  throw storageRefusal(cause, 'change');
}

/** @throws FanfareError for a known failure of the log to read or to open; any other error unchanged */
export function refuseLogFailure(error: unknown): never {
  throw logErrors.some((kind) => error instanceof kind) ? storageRefusal(error, 'change') : error;
}

/** The refusal for damaged messages. */
export function damaged(cause: LogDamagedError): FanfareError {
  return new FanfareError('log_damaged', cause.message, { cause });
}
