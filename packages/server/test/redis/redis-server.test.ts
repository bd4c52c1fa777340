import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { until } from '../../../../test/waits.ts';
import { RedisClient } from './redis-client.ts';
import { RedisServer } from './redis-server.ts';

const appending = { config: ['appendonly yes', 'appendfsync always'] };

it('a Redis of a test starts with the given lines of its configuration, and keeps its data in its own folder', async () => {
  const redis = await RedisServer.start({ config: ['appendonly yes', 'maxmemory 50mb'] });
  expect(await redis.command('CONFIG', 'GET', 'maxmemory')).toEqual(['maxmemory', String(50 * 1024 ** 2)]);
  expect(await redis.command('CONFIG', 'GET', 'dir')).toEqual(['dir', redis.directory]);
  expect(await redis.command('SET', 'key', 'value')).toBe('OK');
  expect(await redis.command('GET', 'key')).toBe('value');
});

it('a Redis of a test that cannot start fails with what it has printed', async () => {
  await expect(RedisServer.start({ config: ['maxmemory much'] })).rejects.toThrow(
    'argument must be a memory',
  );
});

it('a Redis of a test logs in with requirepass, and refuses others', async () => {
  const redis = await RedisServer.start({ config: ['requirepass secret'] });
  expect(redis.url).toBe(`redis://:secret@127.0.0.1:${redis.port}`);
  expect(await redis.command('PING')).toBe('PONG');
  await expect(RedisClient.connect(redis.port)).rejects.toThrow('NOAUTH');
});

it('a Redis of a test takes users from an ACL file', async () => {
  const users = 'user default off\nuser ann on >secret ~fanfare:* +@all\n';
  const redis = await RedisServer.start({
    config: ['aclfile users.acl'],
    files: { 'users.acl': users },
    login: { user: 'ann', password: 'secret' },
  });
  expect(await redis.command('SET', 'fanfare:key', 1)).toBe('OK');
  await expect(redis.command('SET', 'other', 1)).rejects.toThrow('NOPERM');
});

it('a Redis that is killed loses what it has not stored, and one that is stopped or appends does not', async () => {
  const forgetful = await RedisServer.start();
  const client = await forgetful.connect();
  await forgetful.command('SET', 'key', 1);
  await forgetful.kill();
  await until('the client sees the end', () => client.socket.destroyed);
  await forgetful.restart();
  expect(await forgetful.command('GET', 'key')).toBeNull();

  await forgetful.command('SET', 'key', 2);
  await forgetful.stop();
  await forgetful.restart();
  expect(await forgetful.command('GET', 'key')).toBe('2');

  const storing = await RedisServer.start(appending);
  await storing.command('SET', 'key', 3);
  await storing.kill();
  await storing.restart();
  expect(await storing.command('GET', 'key')).toBe('3');
});

it.each([
  ['a dump', {}],
  ['an append-only file', appending],
])('a Redis starts again with an older copy of %s, or with nothing', async (_kind, options) => {
  const redis = await RedisServer.start(options);
  await redis.command('SET', 'key', 'older');
  const older = await redis.snapshot();
  await redis.command('SET', 'key', 'newer');
  await redis.stop();
  await redis.restart(older);
  expect(await redis.command('GET', 'key')).toBe('older');
  await redis.kill();
  await redis.restart('nothing');
  expect(await redis.command('GET', 'key')).toBeNull();
});

it('a paused Redis keeps its connections and answers what was asked once it is resumed', async () => {
  const redis = await RedisServer.start();
  const client = await redis.connect();
  redis.pause();
  await until('the process stands still', () => stateOf(redis) === 'T');
  let reply: unknown;
  void client.send('PING').then((value) => (reply = value));
  // A new connection is accepted by the kernel; Redis itself does not answer.
  const other = redis.connect();
  await until('some turns pass', () => true);
  expect(reply).toBeUndefined();
  redis.resume();
  await until('the reply comes', () => reply === 'PONG');
  expect(await (await other).command('PING')).toBe('PONG');
});

it('a Redis of a test is emptied, and limited while it runs', async () => {
  const redis = await RedisServer.start();
  await redis.command('SET', 'key', 1);
  await redis.flushAll();
  expect(await redis.command('DBSIZE')).toBe(0);
  await redis.configSet('maxmemory', 1);
  await expect(redis.command('SET', 'key', 1)).rejects.toThrow('OOM');
});

it('a replica has what its primary has, and refuses writes', async () => {
  const primary = await RedisServer.start();
  await primary.command('SET', 'key', 'copied');
  const replica = await RedisServer.startReplica(primary);
  expect(await replica.command('GET', 'key')).toBe('copied');
  await expect(replica.command('SET', 'key', 1)).rejects.toThrow('READONLY');
});

it('a client of a test gets messages apart from replies, in text and in bytes', async () => {
  const redis = await RedisServer.start();
  const client = await redis.connect();
  await client.subscribe('channel');
  const bytes = Buffer.from([0, 13, 10, 255]);
  expect(await client.command('PUBLISH', 'channel', 'hello')).toBe(1);
  await client.command('SET', 'key', bytes);
  expect(await client.binary('GET', 'key')).toEqual(bytes);
  expect(await client.push(([kind]) => kind === 'message')).toEqual(['message', 'channel', 'hello']);
});

/** The state of its process in Linux: `T` when it is stopped by a signal. */
function stateOf({ pid }: RedisServer): string | undefined {
  return / ([A-Z]) /.exec(readFileSync(join('/proc', String(pid), 'stat'), 'utf8'))?.[1];
}
