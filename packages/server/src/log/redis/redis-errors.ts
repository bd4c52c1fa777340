import type { HostPort } from '../../nodes/host-port.ts';
import { LogFullError, LogUncertainError, LogUnreachableError, LogUnwritableError } from '../topic-log.ts';

/**
 * The connection to Redis ended, or has to be replaced: the command may succeed on the next connection.
 * Nothing is known about a command whose answer was lost; a read can simply be repeated.
 */
export class ConnectionLostError extends LogUnreachableError {
  /** Whether the command was sent and its answer did not come: it may have been carried out, or still be. */
  readonly isAnswerLost: boolean;
  /** The node of a Redis Cluster that has the log. */
  readonly movedTo?: HostPort;

  constructor(
    message: string,
    {
      isAnswerLost,
      movedTo,
      cause,
    }: { isAnswerLost: boolean; movedTo?: HostPort | undefined; cause?: unknown },
  ) {
    super(message, 'The server cannot reach its log.', { cause });
    this.isAnswerLost = isAnswerLost;
    if (movedTo) this.movedTo = movedTo;
  }
}

/** Redis does not have our functions, or lost them. */
export class FunctionMissingError extends LogUnwritableError {}

/** Redis replied with an error that we do not know: the command may have been carried out in part. */
export class UnknownReplyError extends LogUnwritableError {}

/**
 * Redis refuses what our functions do, until somebody removes the reason. The command was not carried out,
 * and a new connection does not help.
 */
export class RefusedForNowError extends LogUnreachableError {
  /** A sentence without addresses and names: everyone may read it. */
  readonly reason: string;

  constructor({ reason, advice }: Refusal, cause: unknown) {
    super(`${reason} ${advice}`, undefined, { cause });
    this.reason = reason;
  }
}

/** This Redis cannot carry the log until somebody changes its settings or ours. */
export class RedisRefusedError extends LogUnwritableError {}

/** The first words of errors after which another connection can help. The command was not carried out. */
const connectionErrors: Readonly<Record<string, string>> = {
  READONLY: 'This Redis is a replica, and cannot be written: connecting again to find the primary.',
  LOADING: 'Redis is loading its data: waiting until it has.',
  MASTERDOWN: 'This Redis is a replica without its primary: connecting again to find the primary.',
  MOVED: 'Another node of the Redis Cluster has the log: connecting to it.',
  ASK: 'The log is being moved to another node of the Redis Cluster: waiting until it is there.',
  TRYAGAIN: 'The log is being moved to another node of the Redis Cluster: waiting until it is there.',
  CLUSTERDOWN: 'The Redis Cluster is down, or has no node for the log: see `redis-cli cluster info`.',
};

interface Refusal {
  readonly reason: string;
  readonly advice: string;
}

/** The first words of errors that a {@link RefusedForNowError} tells in other words. */
const refusals: Readonly<Record<string, Refusal>> = {
  NOREPLICAS: {
    reason: 'Redis has fewer replicas than its `min-replicas-to-write`, and refuses writes.',
    advice: 'Start them, or lower the setting.',
  },
  MISCONF: {
    reason: 'Redis cannot save to its disk, and refuses writes.',
    advice: 'Its own log has the reason.',
  },
  BUSY: {
    reason: 'Redis is busy with a script of somebody.',
    advice: '`redis-cli script kill` or `function kill` ends it.',
  },
};

/** The first words of errors about the user in the URL. */
export const accessErrors: ReadonlySet<string> = new Set(['NOPERM', 'NOAUTH', 'WRONGPASS']);

/**
 * Turns an error reply of Redis into an error of the log that says what to do. The command was not carried
 * out, except that nothing is known after an UnknownReplyError.
 *
 * @param from - the server that replied; a cluster leaves out the host of MOVED if it is the same
 */
export function errorOfReply(cause: Error, from: HostPort): Error {
  const { message } = cause;
  const [word = ''] = message.split(' ', 1);
  if (word === 'OOM') {
    return new LogFullError(
      'Redis has no memory left (`maxmemory`): raise the limit, or let rules keep fewer messages.',
      { cause },
    );
  }
  if (message.includes('Function not found')) {
    return new FunctionMissingError('Redis does not have the functions of Fanfare.', undefined, { cause });
  }
  const lost = connectionErrors[word];
  if (lost !== undefined) {
    return new ConnectionLostError(lost, { isAnswerLost: false, movedTo: targetOf(message, from), cause });
  }
  if (
    accessErrors.has(word) ||
    message.startsWith('ERR AUTH') ||
    message.startsWith('ERR invalid password')
  ) {
    return new RedisRefusedError(
      `Redis refuses the user or password of its URL, or the user lacks rights: ${message}`,
      undefined,
      { cause },
    );
  }
  const refusal = refusals[word];
  if (refusal !== undefined) return new RefusedForNowError(refusal, cause);
  return new UnknownReplyError(`Redis refused a command: ${message}`, undefined, { cause });
}

/**
 * Throws the error of a call that changes something and is not repeated: a LogUncertainError if Redis may
 * have carried it out.
 */
export function throwChangeError(error: unknown): never {
  const isUncertain =
    error instanceof UnknownReplyError || (error instanceof ConnectionLostError && error.isAnswerLost);
  if (!isUncertain) throw error;
  throw new LogUncertainError(error.message, 'The log did not answer.', { cause: error });
}

/** The host and port of `MOVED <slot> <host>:<port>`. */
function targetOf(message: string, from: HostPort): HostPort | undefined {
  const [, host = '', port] = /^MOVED \d+ (.*):(\d+)$/.exec(message) ?? [];
  if (port === undefined) return undefined;
  return { host: host === '' || host === '?' ? from.host : host, port: Number(port) };
}
