import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { HostPort } from '../../nodes/host-port.ts';
import { accessErrors, ConnectionLostError, RedisRefusedError } from './redis-errors.ts';
import type { RedisServers } from './redis-url.ts';

/** How ioredis ends the search for the primary, with the error of the Sentinel that it asked last. */
const noPrimary = /^All sentinels are unreachable and retry is disabled\.(?: Last error: (.*))?$/s;

/** What ioredis says of a connection that was not made, whatever the reason is. */
const notConnected = 'Connection is closed.';

/** The longest wait for the reason why a connection is not made, in milliseconds. */
const reasonMs = 500;

/**
 * Turns the error after no Sentinel has named a primary into an error that says what to do. Undefined if the
 * error is another one.
 */
export async function errorOfSentinels(cause: Error, servers: RedisServers): Promise<Error | undefined> {
  const found = noPrimary.exec(cause.message);
  if (servers.kind !== 'sentinel' || !found) return undefined;
  const [, last] = found;
  if (last === undefined)
    return notNow(`No Sentinel knows the group '${servers.group}', which the URL of Redis names.`, cause);
  const [word = ''] = last.split(' ', 1);
  if (word === 'NOAUTH') {
    const message = 'The Sentinels need a password: add ?sentinelPassword=PASSWORD to the URL of Redis.';
    return new RedisRefusedError(message, undefined, { cause });
  }
  if (accessErrors.has(word)) {
    const message = `The Sentinels refuse sentinelUser or sentinelPassword of the URL of Redis, or the user lacks rights: ${last}`;
    return new RedisRefusedError(message, undefined, { cause });
  }
  const reason = last === notConnected ? await reasonOf(servers) : undefined;
  const message = `The Sentinels of the group '${servers.group}' cannot be reached: ${reason?.message ?? last}`;
  return notNow(message, reason ?? cause);
}

function notNow(message: string, cause: Error): ConnectionLostError {
  return new ConnectionLostError(message, { isAnswerLost: false, cause });
}

/** Connects to the last Sentinel once more, because ioredis does not tell why it could not. */
function reasonOf({ hosts, usesTls }: RedisServers): Promise<Error | undefined> {
  const { host, port } = hosts.at(-1) as HostPort;
  return new Promise((resolve) => {
    const socket = usesTls ? connectTls({ host, port }) : connect({ host, port });
    const finish = (error?: Error): void => {
      socket.destroy();
      resolve(error);
    };
    socket.setTimeout(reasonMs, finish);
    socket.once(usesTls ? 'secureConnect' : 'connect', () => finish());
    socket.on('error', finish);
  });
}
