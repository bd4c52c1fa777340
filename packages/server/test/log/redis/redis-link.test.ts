import { afterEach, describe, expect, it } from 'vitest';
import { openLink, type RedisLink } from '../../../src/log/redis/redis-link.ts';
import { parseRedisUrl } from '../../../src/log/redis/redis-url.ts';
import { ConnectionLostError, RedisRefusedError } from '../../../src/log/redis/redis-errors.ts';
import { checkServer } from '../../../src/log/redis/server-check.ts';
import { FunctionCalls } from '../../../src/log/redis/function-calls.ts';
import { LogFullError, LogUnwritableError } from '../../../src/log/topic-log.ts';
import { RedisServer } from '../../redis/redis-server.ts';
import { RedisError } from '../../redis/resp.ts';
import { soonMs, until, within } from '../../../../../test/waits.ts';

const code = `#!lua name=probe
redis.register_function('probe_push', function(keys, args) return redis.call('RPUSH', keys[1] .. 'list', args[1]) end)
redis.register_function{function_name='probe_read', callback=function(keys) return redis.call('LRANGE', keys[1] .. 'list', 0, -1) end, flags={'no-writes'}}`;

const links: RedisLink[] = [];

function redis(...config: string[]): Promise<RedisServer> {
  return RedisServer.start({ config });
}

async function link(url: string): Promise<RedisLink> {
  const opened = await within(soonMs, 'the link opens', openLink(parseRedisUrl(url)));
  links.push(opened);
  return opened;
}

async function refusal(promise: Promise<unknown>): Promise<Error> {
  const settled = promise.then(
    (value) => new Error(`It resolved to ${String(value)}.`),
    (error: unknown) => error as Error,
  );
  return within(soonMs, 'it is refused', settled);
}

afterEach(() => {
  for (const each of links.splice(0)) {
    each.end(new ConnectionLostError('The test is over.', { isAnswerLost: false }));
  }
});

describe('a connection to Redis', () => {
  it('answers commands in their order, with buffers', async () => {
    const opened = await link((await redis()).url);
    const answers = await Promise.all([
      opened.send('RPUSH', ['k', 'é', 2]),
      opened.send('LRANGE', ['k', 0, -1]),
    ]);
    expect(answers).toEqual([2, [Buffer.from('é'), Buffer.from('2')]]);
  });

  it('receives the messages of a channel in their order, as bytes', async () => {
    const server = await redis();
    const opened = await link(server.url);
    const received: Buffer[] = [];
    await opened.subscribe('news', (payload) => received.push(payload));
    for (const byte of [0, 128, 255]) await server.command('PUBLISH', 'news', Buffer.from([byte]));
    await until('three messages come', () => received.length === 3);
    expect(Buffer.concat(received)).toEqual(Buffer.from([0, 128, 255]));
  });

  it('says that a wrong password was refused, and does not repeat the password', async () => {
    const { port } = await redis('requirepass right');
    const error = await refusal(openLink(parseRedisUrl(`redis://:wrong@127.0.0.1:${port}`)));
    expect(error).toBeInstanceOf(RedisRefusedError);
    expect(error.message).toContain('user or password');
    expect(error.message).not.toContain('wrong@');
  });

  it('says that a password is missing', async () => {
    const { port } = await redis('requirepass right');
    const opened = await link(`redis://127.0.0.1:${port}`);
    expect(await refusal(opened.send('INFO', []))).toBeInstanceOf(RedisRefusedError);
  });

  it('needs no more rights than the commands that are named', async () => {
    const { port } = await redis(
      'user fanfare on >secret ~{fanfare}:* &{fanfare}:* -@all +fcall +function|load +subscribe +ssubscribe +wait +info +select +rpush +lrange',
      'user default on nopass ~* &* +@all',
    );
    const url = `redis://fanfare:secret@127.0.0.1:${port}/1`;
    const commands = await link(url);
    expect(await checkServer(commands, { replicas: 0 })).toBe('memory');
    const calls = new FunctionCalls(commands, code, '{fanfare}:');
    expect(await calls.call('probe_push', ['x'])).toBe(1);
    expect(await commands.send('WAIT', [0, 1])).toBe(0);
    await (await link(url)).subscribe('{fanfare}:frames', () => {});
    const error = await refusal(calls.call('probe_push', []));
    expect(error).toBeInstanceOf(LogUnwritableError);
    const elsewhere = new FunctionCalls(commands, code, '{other}:');
    expect(await refusal(elsewhere.call('probe_push', ['x']))).toBeInstanceOf(RedisRefusedError);
  });

  it('loads the functions when Redis lost them, and calls take effect in their order', async () => {
    const server = await redis();
    const opened = await link(server.url);
    const calls = new FunctionCalls(opened, code, '{a}:');
    await calls.call('probe_push', [0]);
    const answers = Array.from({ length: 20 }, (_, at) => {
      if (at % 5 === 2) void opened.send('FUNCTION', ['FLUSH', 'SYNC']);
      return calls.call('probe_push', [at + 1]);
    });
    await within(soonMs, 'all calls are answered', Promise.all(answers));
    const list = (await calls.call('probe_read', [])) as Buffer[];
    expect(list.map(Number)).toEqual(Array.from({ length: 21 }, (_, at) => at));
  });

  it('keeps the variables of functions that another server has loaded meanwhile', async () => {
    const counting = `#!lua name=fanfare_counting
      local count = 0
      redis.register_function('fanfare_count', function() count = count + 1; return count end)`;
    const server = await redis();
    const [early, late] = [await link(server.url), await link(server.url)];
    let load = (): void => {};
    const mayLoad = new Promise<void>((resolve) => (load = resolve));
    let isLoading = false;
    const send = async (...[command, args]: Parameters<RedisLink['send']>): Promise<unknown> => {
      if (command === 'FUNCTION') {
        isLoading = true;
        await mayLoad;
      }
      return late.send(command, args);
    };
    const slow = new FunctionCalls({ ...late, send }, counting, '{a}:');
    const second = slow.call('fanfare_count', []);
    await until('the slow server finds no functions', () => isLoading);
    expect(await new FunctionCalls(early, counting, '{a}:').call('fanfare_count', [])).toBe(1);
    load();
    expect(await within(soonMs, 'the slow server gets its answer', second)).toBe(2);
  });

  it('ends when Redis is killed, and commands without an answer say that it was lost', async () => {
    const server = await redis();
    const opened = await link(server.url);
    server.pause();
    const sent = refusal(opened.send('PING', []));
    await server.kill();
    const error = (await sent) as ConnectionLostError;
    expect(error).toBeInstanceOf(ConnectionLostError);
    expect(error.isAnswerLost).toBe(true);
    await within(soonMs, 'the link ends', opened.ended);
    const later = (await refusal(opened.send('PING', []))) as ConnectionLostError;
    expect(later.isAnswerLost).toBe(false);
  });

  it('ends when a command has no answer for two seconds', async () => {
    const server = await redis();
    const opened = await link(server.url);
    server.pause();
    const error = (await refusal(opened.send('PING', []))) as ConnectionLostError;
    expect(error.message).toContain('has not answered for 2 s');
    expect(error.isAnswerLost).toBe(true);
    await within(soonMs, 'the link ends', opened.ended);
    server.resume();
  });

  it('takes an answer that came in time, even if this process read nothing for longer than two seconds', async () => {
    const opened = await link((await redis()).url);
    const answer = opened.send('PING', []);
    const endsAt = performance.now() + 2_100;
    while (performance.now() < endsAt);
    expect(String(await within(soonMs, 'the answer is read', answer))).toBe('PONG');
  });

  it('cannot be opened where nothing listens', async () => {
    const server = await redis();
    await server.kill();
    const error = await refusal(openLink(parseRedisUrl(server.url)));
    expect(error).toBeInstanceOf(ConnectionLostError);
    expect(error.message).toMatch(/cannot be reached.*ECONNREFUSED/);
  });

  it('is not opened for longer than two seconds when Redis does not answer', async () => {
    const server = await redis('requirepass right');
    server.pause();
    expect(await refusal(openLink(parseRedisUrl(server.url)))).toBeInstanceOf(ConnectionLostError);
    server.resume();
  });
});

describe('what Redis refuses', () => {
  it('is a full log if Redis has no memory left', async () => {
    const opened = await link((await redis('maxmemory 2mb')).url);
    const calls = new FunctionCalls(opened, code, '{a}:');
    await calls.call('probe_push', ['x']);
    let error: Error | undefined;
    await until('Redis is full', async () => {
      await calls.call('probe_push', ['x'.repeat(100_000)]).catch((each: Error) => (error = each));
      return error !== undefined;
    });
    expect(error).toBeInstanceOf(LogFullError);
    expect(error?.message).toContain('maxmemory');
  });

  it('ends the connection if Redis is a replica', async () => {
    const primary = await redis();
    const replica = await RedisServer.startReplica(primary);
    const onPrimary = new FunctionCalls(await link(primary.url), code, '{a}:');
    await onPrimary.call('probe_push', ['x']);
    const opened = await link(replica.url);
    await until(
      'the replica has the functions',
      async () => (await replica.command('EXISTS', '{a}:list')) === 1,
    );
    const error = (await refusal(
      opened.send('FCALL', ['probe_push', 1, '{a}:', 'x']),
    )) as ConnectionLostError;
    expect(error).toBeInstanceOf(ConnectionLostError);
    expect(error.message).toContain('replica');
    expect(error.isAnswerLost).toBe(false);
    await within(soonMs, 'the link ends', opened.ended);
    expect(await refusal(checkServer(await link(replica.url), { replicas: 0 }))).toBeInstanceOf(
      ConnectionLostError,
    );
  });

  it('keeps the connection if replicas are missing', async () => {
    const opened = await link((await redis('min-replicas-to-write 1')).url);
    const error = await refusal(opened.send('RPUSH', ['a', 'b']));
    expect(error.message).toContain('min-replicas-to-write');
    expect(error).toBeInstanceOf(LogUnwritableError);
    expect(error).not.toBeInstanceOf(ConnectionLostError);
    expect(String(await opened.send('PING', []))).toBe('PONG');
  });

  it('is told in words if the script of somebody keeps Redis busy', async () => {
    const server = await redis('busy-reply-threshold 10');
    const opened = await link(server.url);
    const other = await server.connect();
    const script = refusal(other.send('EVAL', 'while true do end', 0));
    await until('Redis is busy', async () => {
      const error: Error = await refusal(opened.send('RPUSH', ['a', 'b']));
      return error.message.includes('script kill');
    });
    await server.command('SCRIPT', 'KILL');
    expect((await script).message).toContain('killed');
  });

  it('is waited for while Redis loads its data', async () => {
    const server = await redis(
      'enable-debug-command yes',
      'key-load-delay 500',
      'loading-process-events-interval-bytes 1024',
    );
    await server.command('DEBUG', 'POPULATE', 20_000, 'k', 100);
    await server.command('SAVE');
    await server.kill();
    server.launch();
    await until('Redis loads its data', () =>
      server.command('PING').then(
        () => false,
        (error: unknown) => error instanceof RedisError && error.code === 'LOADING',
      ),
    );
    const opened = await link(server.url);
    expect((await refusal(checkServer(opened, { replicas: 0 }))).message).toContain('loading');
    const error = await refusal(opened.send('RPUSH', ['a', 'b']));
    expect(error).toBeInstanceOf(ConnectionLostError);
    expect(error.message).toContain('loading');
  });
});

describe('the check of a server', () => {
  it('refuses a server that evicts keys', async () => {
    const error = await refusal(
      checkServer(await link((await redis('maxmemory-policy allkeys-lru')).url), { replicas: 0 }),
    );
    expect(error).toBeInstanceOf(RedisRefusedError);
    expect(error.message).toContain('noeviction');
  });

  it.each([
    ['memory', [], {}],
    ['memory', ['appendonly yes', 'appendfsync everysec'], {}],
    ['disk', ['appendonly yes', 'appendfsync always'], {}],
    ['memory', ['appendonly yes', 'appendfsync always', 'rename-command CONFIG ""'], {}],
    [
      'disk',
      ['appendonly yes', 'appendfsync always', 'rename-command CONFIG ""'],
      { stored: 'disk' as const },
    ],
    ['replicated', [], { replicas: 1 }],
  ])('finds that messages are stored at the level %s with %j and %j', async (level, config, settings) => {
    const opened = await link((await redis(...config)).url);
    expect(await checkServer(opened, { replicas: 0, ...settings })).toBe(level);
  });
});
