import { connect, createServer, type Socket } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { nextEvent, startListening, until, within } from '../../../../test/waits.ts';
import { RedisClient } from './redis-client.ts';
import { RedisProxy } from './redis-proxy.ts';
import { RedisServer } from './redis-server.ts';
import { TcpProxy } from './tcp-proxy.ts';

interface Proxied {
  readonly redis: RedisServer;
  readonly proxy: RedisProxy;
  /** Through the proxy. */
  readonly client: RedisClient;
}

async function start(): Promise<Proxied> {
  const redis = await RedisServer.start();
  const proxy = await RedisProxy.to(redis.port);
  return { redis, proxy, client: await RedisClient.connect(proxy.port) };
}

/** How often a command has been called. */
async function callsOf(redis: RedisServer, command: string): Promise<number> {
  const info = await redis.info('commandstats');
  return Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(info)?.[1] ?? 0);
}

describe('a proxy before Redis', () => {
  it('bytes in both directions are later by the delay, in order, and only of chosen connections', async () => {
    const { redis, proxy, client } = await start();
    const other = await RedisClient.connect(proxy.port);
    const [first] = proxy.connections;
    const delay = proxy.delay(150, { of: (connection) => connection === first });
    const startedAt = performance.now();
    const replies: unknown[] = [];
    const asked = [1, 2, 3].map(async (n) => replies.push(await client.send('ECHO', n)));
    expect(await other.command('PING')).toBe('PONG');
    await until('the later replies come', () => replies.length === 3);
    // Proves: the delay of both ways. Timers may be a millisecond early.
    expect(performance.now() - startedAt).toBeGreaterThan(298);
    expect(replies.map(String)).toEqual(['1', '2', '3']);
    await Promise.all(asked);
    delay.lift();
    expect(await callsOf(redis, 'echo')).toBe(3);
  });

  it('held bytes do not reach Redis, and arrive once they are released', async () => {
    const { redis, proxy, client } = await start();
    const hold = proxy.hold();
    const reply = replyTo(client.send('SET', 'key', 1));
    // By then, the held bytes of the other connection would have arrived, too.
    for (let asked = 0; asked < 20; asked++) expect(await redis.command('EXISTS', 'key')).toBe(0);
    expect(reply.value).toBeUndefined();
    hold.lift();
    await until('the reply comes', () => reply.value !== undefined);
    expect(await redis.command('EXISTS', 'key')).toBe(1);
  });

  it('with one direction held, Redis runs the command, and the reply comes once it is released', async () => {
    const { redis, proxy, client } = await start();
    const hold = proxy.hold({ direction: 'to-client' });
    const reply = replyTo(client.send('SET', 'key', 1));
    await until('Redis runs it', async () => (await redis.command('EXISTS', 'key')) === 1);
    expect(reply.value).toBeUndefined();
    hold.lift();
    await until('the reply comes', () => reply.value !== undefined);
  });

  it('the end of a connection is held like its bytes', async () => {
    const { redis, proxy, client } = await start();
    const clients = async (): Promise<number> =>
      Number(/connected_clients:(\d+)/.exec(await redis.info('clients'))?.[1]);
    const before = await clients();
    const hold = proxy.hold({ direction: 'to-server' });
    client.socket.resetAndDestroy();
    for (let asked = 0; asked < 20; asked++) expect(await clients()).toBe(before);
    hold.lift();
    await until('Redis sees the end', async () => (await clients()) === before - 1);
  });

  it('discarded bytes of one direction are lost silently: the connection stays, and nobody is told', async () => {
    const { redis, proxy, client } = await start();
    const discard = proxy.discard({ direction: 'to-client' });
    const reply = replyTo(client.send('SET', 'key', 1));
    await until('Redis runs it', async () => (await redis.command('EXISTS', 'key')) === 1);
    discard.lift();
    await client.subscribe('channel');
    expect(reply.value).toBeUndefined();
    expect(client.socket.destroyed).toBe(false);
  });

  it('a cut resets all connections at both ends, and new ones work', async () => {
    const { redis, proxy, client } = await start();
    const reset = nextEvent<NodeJS.ErrnoException>(client.socket, 'error', 'the client sees the reset');
    const waiting = client.send('BLPOP', 'list', 0).catch((error: unknown) => error);
    await until('Redis waits', async () => /blocked_clients:1/.test(await redis.info('clients')));
    proxy.cut();
    expect((await reset).code).toBe('ECONNRESET');
    expect(await within(1_000, 'the wait ends', waiting)).toBeInstanceOf(Error);
    await until('Redis sees it', async () => /blocked_clients:0/.test(await redis.info('clients')));
    expect(proxy.connections).toEqual([]);
    expect(await (await RedisClient.connect(proxy.port)).command('PING')).toBe('PONG');
  });

  it('new connections are refused until that is lifted, and open ones stay', async () => {
    const { proxy, client } = await start();
    const refusal = proxy.refuse();
    await expect(RedisClient.connect(proxy.port)).rejects.toThrow();
    expect(await client.command('PING')).toBe('PONG');
    refusal.lift();
    expect(await (await RedisClient.connect(proxy.port)).command('PING')).toBe('PONG');
  });

  it('the reply to the second matching command is lost: Redis has run it, and the connection ends', async () => {
    const { redis, proxy, client } = await start();
    const loss = proxy.loseReply(2, ([command]) => command === 'INCR');
    expect(loss.hasHappened).toBe(false);
    const replies = [
      client.send('INCR', 'key'),
      client.send('PING'),
      client.send('INCR', 'key'),
      client.send('PING'),
    ];
    const settled = await Promise.allSettled(replies);
    expect(settled.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected', 'rejected']);
    expect(await redis.command('GET', 'key')).toBe('2');
    expect(loss.hasHappened).toBe(true);
    // Only that one.
    const again = await RedisClient.connect(proxy.port);
    expect(await again.command('INCR', 'key')).toBe(3);
    expect(await again.command('INCR', 'key')).toBe(4);
  });

  it('a large reply is told from the one after it, however it is cut into chunks', async () => {
    const { proxy, client } = await start();
    const large = 'x\r\n+OK\r\n'.repeat(500_000);
    await client.command('SET', 'large', large);
    proxy.loseReply(2);
    const [first, second] = await Promise.allSettled([client.send('GET', 'large'), client.send('PING')]);
    expect(first?.status === 'fulfilled' && String(first.value).length).toBe(large.length);
    expect(second?.status).toBe('rejected');
  });

  it('a fault of subscribers leaves the connections for commands alone', async () => {
    const { redis, proxy, client } = await start();
    const subscriber = await RedisClient.connect(proxy.port);
    await subscriber.subscribe('channel');
    const hold = proxy.hold({ of: proxy.isSubscriber });
    expect(await client.command('PUBLISH', 'channel', 1)).toBe(1);
    expect(await client.command('PING')).toBe('PONG');
    expect(subscriber.pushes).toHaveLength(1);
    hold.lift();
    await subscriber.push(([kind]) => kind === 'message');
    proxy.cut(proxy.isForCommands);
    await until('the commands are cut', () => client.socket.destroyed);
    await redis.command('PUBLISH', 'channel', 2);
    await subscriber.push(([, , payload]) => payload === '2');
  });
});

describe('a proxy before any TCP server', () => {
  it('a server that comes later is reached, and its absence resets the connection', async () => {
    const server = createServer(echo);
    const port = await startListening(server);
    server.close();
    const proxy = await TcpProxy.to(port);
    const refused = open(proxy.port);
    await nextEvent(refused, 'error', 'nobody listens behind the proxy');
    const later = createServer(echo).listen(port, '127.0.0.1');
    onTestFinished(() => void later.close());
    await nextEvent(later, 'listening', 'the server comes back');
    const socket = open(proxy.port);
    socket.write('hello');
    expect(String(await nextEvent(socket, 'data', 'the echo comes'))).toBe('hello');
  });

  it('half-closed connections stay half-closed', async () => {
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      socket
        .on('error', () => {})
        .on('data', () => {})
        .once('end', () => socket.end('goodbye'));
    });
    const proxy = await TcpProxy.to(await startListening(server));
    onTestFinished(() => void server.close());
    const socket = open(proxy.port);
    socket.end('hello');
    expect(String(await nextEvent(socket, 'data', 'the answer to the end comes'))).toBe('goodbye');
  });

  it('a sender that is held gets no further than the buffers', async () => {
    const received: number[] = [];
    const server = createServer((socket) => {
      socket.on('error', () => {}).on('data', ({ length }) => received.push(length));
    });
    const proxy = await TcpProxy.to(await startListening(server));
    onTestFinished(() => void server.close());
    const hold = proxy.hold();
    const socket = open(proxy.port);
    const size = 64 * 1024 ** 2;
    socket.write(Buffer.alloc(size));
    await until('the connection is there', () => proxy.connections.length === 1);
    expect(socket.writableNeedDrain).toBe(true);
    hold.lift();
    await nextEvent(socket, 'drain', 'everything goes on');
    const sum = (): number => received.reduce((total, length) => total + length, 0);
    await until('everything arrives', () => sum() === size, { soFar: sum });
    proxy.cut();
  });
});

function open(port: number): Socket {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  onTestFinished(() => void socket.destroy());
  return socket.on('error', () => {});
}

function echo(socket: Socket): void {
  socket.on('error', () => {}).pipe(socket);
}

/** Holds the reply once it is there. It may never come. */
function replyTo(asked: Promise<unknown>): { value: unknown } {
  const reply: { value: unknown } = { value: undefined };
  void asked.then(
    (value) => (reply.value = value),
    () => {},
  );
  return reply;
}
