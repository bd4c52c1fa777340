import type { Redis, RedisOptions } from 'ioredis';
import { formatHostPort, type HostPort } from '../../nodes/host-port.ts';
import { LogUnwritableError } from '../topic-log.ts';
import type { Argument } from './library.ts';
import { ConnectionLostError, errorOfReply } from './redis-errors.ts';
import type { RedisServers } from './redis-url.ts';
import { errorOfSentinels } from './sentinel-errors.ts';

/** One connection to Redis, from its beginning to its end. It is never repaired: the next one replaces it. */
export interface RedisLink {
  /** The server, for people. */
  readonly server: string;
  /** Resolves after the connection has ended, to the reason. */
  readonly ended: Promise<ConnectionLostError>;
  /**
   * Sends a command in this turn. Bulk strings of the reply are buffers. Rejects with the errors of
   * redis-errors.ts. After 2 s without an answer, the connection ends.
   */
  send(command: string, args: readonly Argument[]): Promise<unknown>;
  /** Receives the messages of a channel, in their order. A cluster has the channel in the slot of the log. */
  subscribe(channel: string, onMessage: (payload: Buffer) => void): Promise<void>;
  /** Ends the connection. Commands without an answer reject. */
  end(reason: ConnectionLostError): void;
}

/** A command that has no answer for so long, in milliseconds, ends the connection. */
export const answerTimeoutMs = 2_000;

/**
 * Connects to the server that has the log: to a single server, to the primary that Sentinels name, or to a
 * node of a cluster. ioredis only carries bytes here. It does not reconnect, queue or resend: a command that
 * is sent again without our knowledge could be carried out twice, or after its publisher was told that it
 * failed.
 *
 * @param node - the node of the cluster to try; its answer MOVED names the right one
 * @throws ConnectionLostError, RedisRefusedError
 */
export async function openLink(servers: RedisServers, node?: HostPort): Promise<RedisLink> {
  const { Redis } = await import('ioredis');
  const [first] = servers.hosts as readonly [HostPort];
  const host = node ?? first;
  const options: LinkOptions = {
    ...loginOf(servers),
    ...(servers.kind === 'sentinel' ? sentinelsOf(servers) : host),
    ...(servers.usesTls ? { tls: {} } : {}),
    ...common,
  };
  return new IoredisLink(new Redis(options), servers, host).connected();
}

type LinkOptions = RedisOptions & { readonly replyMapping: 'legacy' };

const common: LinkOptions = {
  replyMapping: 'legacy',
  lazyConnect: true,
  retryStrategy: () => null,
  sentinelRetryStrategy: () => null,
  sentinelCommandTimeout: answerTimeoutMs,
  updateSentinels: false,
  maxRetriesPerRequest: 0,
  autoResendUnfulfilledCommands: false,
  autoResubscribe: false,
  enableOfflineQueue: false,
  connectTimeout: answerTimeoutMs,
  disconnectTimeout: answerTimeoutMs,
  // Each of these needs commands that a user of Redis with few rights does not have.
  enableReadyCheck: false,
  disableClientInfo: true,
  protocol: 2,
};

function loginOf({ user, password, db }: RedisServers): RedisOptions {
  return {
    db,
    ...(user === undefined ? {} : { username: user }),
    ...(password === undefined ? {} : { password }),
  };
}

function sentinelsOf(servers: RedisServers): RedisOptions {
  const { hosts, group = '', usesTls, sentinelUser, sentinelPassword } = servers;
  return {
    sentinels: [...hosts],
    name: group,
    ...(sentinelUser === undefined ? {} : { sentinelUsername: sentinelUser }),
    ...(sentinelPassword === undefined ? {} : { sentinelPassword }),
    ...(usesTls ? { enableTLSForSentinelMode: true, sentinelTLS: {} } : {}),
  };
}

class IoredisLink implements RedisLink {
  readonly ended: Promise<ConnectionLostError>;
  readonly #redis: Redis;
  readonly #servers: RedisServers;
  readonly #host: HostPort;
  /** Rejects the commands that have no answer. */
  readonly #unanswered = new Set<(reason: ConnectionLostError) => void>();
  #hasEnded: (reason: ConnectionLostError) => void = () => {};
  #endReason: ConnectionLostError | undefined;
  #lastError: Error | undefined;

  constructor(redis: Redis, servers: RedisServers, host: HostPort) {
    this.#redis = redis;
    this.#servers = servers;
    this.#host = host;
    this.ended = new Promise((resolve) => (this.#hasEnded = resolve));
    redis.on('error', (error: Error) => (this.#lastError = error));
    redis.on('close', () => this.#end(this.#lostError()));
  }

  get server(): string {
    const { kind, group, hosts } = this.#servers;
    return kind === 'sentinel'
      ? `${group} (Sentinels ${hosts.map(formatHostPort).join(', ')})`
      : formatHostPort(this.#host);
  }

  async connected(): Promise<this> {
    const attempts = this.#servers.kind === 'sentinel' ? this.#servers.hosts.length + 1 : 1;
    const isLate = setTimeout(() => {
      this.#lastError ??= new Error('no answer in time');
      this.#redis.disconnect();
    }, attempts * answerTimeoutMs);
    try {
      await this.#redis.connect();
      return this;
    } catch (error) {
      this.#redis.disconnect();
      const last = this.#lastError ?? (error as Error);
      throw (await errorOfSentinels(last, this.#servers)) ?? this.#connectError(last);
    } finally {
      clearTimeout(isLate);
    }
  }

  send(command: string, args: readonly Argument[]): Promise<unknown> {
    return this.#answer(() => this.#redis.callBuffer(command, [...args]));
  }

  async subscribe(channel: string, onMessage: (payload: Buffer) => void): Promise<void> {
    const isSharded = this.#servers.kind === 'cluster';
    const name = Buffer.from(channel);
    this.#redis.on(isSharded ? 'smessageBuffer' : 'messageBuffer', (from: Buffer, payload: Buffer) => {
      if (!this.#endReason && name.equals(from)) onMessage(payload);
    });
    await this.#answer(() => (isSharded ? this.#redis.ssubscribe(channel) : this.#redis.subscribe(channel)));
  }

  end(reason: ConnectionLostError): void {
    this.#end(reason);
    this.#redis.disconnect();
  }

  #answer(send: () => Promise<unknown>): Promise<unknown> {
    if (this.#endReason) return Promise.reject(notSent(this.#endReason));
    return new Promise((resolve, reject) => {
      // A process that stood still for this time has answers to read, which come before `setImmediate`.
      const expire = (): void => {
        if (this.#unanswered.has(fail)) this.end(this.#silentError());
      };
      const isLate = setTimeout(() => setImmediate(expire), answerTimeoutMs);
      const settled = (): void => {
        clearTimeout(isLate);
        this.#unanswered.delete(fail);
      };
      const fail = (reason: Error): void => {
        settled();
        reject(reason);
      };
      this.#unanswered.add(fail);
      send().then(
        (answer) => {
          settled();
          resolve(answer);
        },
        (error: Error) => fail(this.#commandError(error)),
      );
    });
  }

  #end(reason: ConnectionLostError): void {
    if (this.#endReason) return;
    this.#endReason = reason;
    this.#hasEnded(reason);
    for (const fail of this.#unanswered) fail(reason);
  }

  #commandError(error: Error): Error {
    if (this.#endReason) return this.#endReason;
    // ioredis rejects the commands before it emits `close`.
    if (error.name !== 'ReplyError') return this.#lostError();
    const reply = errorOfReply(error, this.#host);
    // This command was refused. The answers to those after it are lost.
    if (reply instanceof ConnectionLostError) queueMicrotask(() => this.end(withLostAnswer(reply)));
    return reply;
  }

  #silentError(): ConnectionLostError {
    const message = `Redis at ${this.server} has not answered for ${answerTimeoutMs / 1_000} s.`;
    return new ConnectionLostError(message, { isAnswerLost: true });
  }

  #lostError(): ConnectionLostError {
    const cause = this.#lastError;
    const why = cause === undefined ? '' : ` (${cause.message})`;
    const message = `The connection to Redis at ${this.server} was lost${why}.`;
    return new ConnectionLostError(message, { isAnswerLost: true, cause });
  }

  #connectError(error: Error): Error {
    if (error.name === 'ReplyError') {
      const reply = errorOfReply(error, this.#host);
      if (reply instanceof LogUnwritableError) return reply;
    }
    const message = `Redis at ${this.server} cannot be reached: ${error.message}`;
    return new ConnectionLostError(message, { isAnswerLost: false, cause: error });
  }
}

function notSent({ message, movedTo, cause }: ConnectionLostError): ConnectionLostError {
  return new ConnectionLostError(message, { isAnswerLost: false, movedTo, cause });
}

function withLostAnswer({ message, movedTo, cause }: ConnectionLostError): ConnectionLostError {
  return new ConnectionLostError(message, { isAnswerLost: true, movedTo, cause });
}
