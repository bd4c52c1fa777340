import { createServer as createHttpServer, type Server as HttpServer } from 'node:http';
import type { Stats } from '@fanfare/protocol';
import { attach, createServer, type AttachOptions, type Fanfare, type FanfareServer } from '@fanfare/server';
import { Server as SocketServer } from 'socket.io';
import { expect, it, onTestFinished } from 'vitest';
import { collect, nextEvent, startListening, until } from '../../../../test/waits.ts';
import { connectClient, publish, strictLogger } from '../harness.ts';
import { RedisServer } from './redis-server.ts';

interface App {
  readonly url: string;
  readonly fanfare: Fanfare;
}

/** An app with Fanfare on its HTTP server, stopped when the test ends. */
async function startApp(
  redis: RedisServer,
  options: AttachOptions = {},
  httpServer: HttpServer = createHttpServer((_request, response) => response.end('the app')),
): Promise<App> {
  const fanfare = await attach(httpServer, { redis: redis.url, logger: strictLogger, ...options });
  onTestFinished(async () => {
    await fanfare.stop();
    httpServer.close();
    httpServer.closeAllConnections();
  });
  return { url: `http://127.0.0.1:${await startListening(httpServer)}`, fanfare };
}

it('what one program publishes, the subscriptions and the history of another program on the same Redis get', async () => {
  const redis = await RedisServer.start();
  const [one, two] = [0, 1].map(() => createServer({ port: 0, redis: redis.url, logger: strictLogger })) as [
    FanfareServer,
    FanfareServer,
  ];
  for (const server of [one, two]) {
    await server.start();
    onTestFinished(() => server.stop());
  }
  const subscription = two.subscribe('orders/*');
  await subscription.ready;
  for (const item of ['tea', 'milk', 'rice']) await one.publish('orders/7', { item });
  const received = await collect('the other program gets the messages', subscription, { count: 3 });
  expect(received.map(({ message }) => message)).toEqual([
    { item: 'tea' },
    { item: 'milk' },
    { item: 'rice' },
  ]);
  const first = await two.publish('orders/7', 1, { id: 'x' });
  expect(await one.publish('orders/7', 1, { id: 'x' })).toEqual({ ...first, duplicate: true });
  const history = await collect('the history ends', one.history('orders/7', { from: 'earliest' }));
  expect(history.map(({ message }) => message)).toEqual([...received.map(({ message }) => message), 1]);
  await until('both know of each other', async () => (await one.stats()).nodes?.length === 2);
});

it('two apps with Fanfare on their HTTP servers and the same Redis are one Fanfare, with the paths for operators', async () => {
  const redis = await RedisServer.start();
  const apps = [await startApp(redis, { http: 'all' }), await startApp(redis, { http: 'all' })] as const;
  const client = await connectClient(apps[1].url, 'polling');
  await client.emitWithAck('subscribe', { topic: 'news' });
  const received = nextEvent(client, 'news', 'the message comes from the other app');
  expect((await publish(apps[0].url, { topic: 'news', message: 1 })).status).toBe(200);
  expect(await received).toEqual({ message: 1 });
  const knowsBoth = async (): Promise<boolean> => {
    const stats = (await (await fetch(`${apps[0].url}/stats`)).json()) as Stats;
    return stats.nodes?.length === 2 && stats.connections === 1;
  };
  await until('`/stats` of one app counts the client of the other', knowsBoth);
  const ready = await fetch(`${apps[0].url}/readyz`);
  expect([ready.status, await ready.json()]).toMatchObject([
    200,
    { ready: true, checks: { nodes: { ok: true } } },
  ]);
  // The session is known to the app that has it, and the other one passes requests on.
  const { id } = client.io.engine as unknown as { readonly id: string };
  const passedOn = await fetch(`${apps[0].url}/socket.io/?EIO=4&transport=polling&sid=${id}`, {
    method: 'POST',
    body: '3',
  });
  expect(passedOn.status).toBe(200);
  expect(await (await fetch(`${apps[0].url}/`)).text()).toBe('the app');
});

it('with the app’s own Socket.IO server, Fanfare’s messages reach the clients of all nodes, and the app’s broadcasts and sessions stay where they are', async () => {
  const redis = await RedisServer.start();
  const httpServers = [createHttpServer(), createHttpServer()] as const;
  const io = new SocketServer(httpServers[0]);
  const one = await startApp(redis, { io }, httpServers[0]);
  const two = await startApp(redis, { io: new SocketServer(httpServers[1]) }, httpServers[1]);
  const [near, far] = [await connectClient(one.url), await connectClient(two.url, 'polling')];
  const farEvents: string[] = [];
  far.onAny((event: string) => farEvents.push(event));
  await far.emitWithAck('subscribe', { topic: 'news' });
  const broadcast = nextEvent(near, 'greeting', 'the broadcast of the app comes to its own client');
  io.emit('greeting', 'hello');
  expect(await broadcast).toBe('hello');
  const received = nextEvent(far, 'news', 'the message of Fanfare comes to the other node');
  await one.fanfare.publish('news', 1);
  expect(await received).toEqual({ message: 1 });
  expect(farEvents).toEqual(['news']);
  const { id } = far.io.engine as unknown as { readonly id: string };
  const elsewhere = await fetch(`${one.url}/socket.io/?EIO=4&transport=polling&sid=${id}`);
  expect([elsewhere.status, await elsewhere.json()]).toEqual([
    400,
    { code: 1, message: 'Session ID unknown' },
  ]);
});

it('a node that starts after Redis has lost its data gets requests passed on from nodes that ran before', async () => {
  const redis = await RedisServer.start();
  const logger = { warn: () => {}, error: strictLogger.error };
  const first = await startApp(redis, { logger });
  const earlier = [await startApp(redis, { logger }), await startApp(redis, { logger })];
  // It has chosen the key of all nodes.
  await first.fanfare.stop();
  await redis.flushAll();
  const isKnown = async (): Promise<boolean> => (await redis.command('EXISTS', '{fanfare}:nodes:key')) === 1;
  await until('a node that ran before makes itself known again', isKnown);
  const later = await startApp(redis, { logger });
  const client = await connectClient(later.url, 'polling');
  const { id } = client.io.engine as unknown as { readonly id: string };
  for (const { url } of earlier) {
    const target = `${url}/socket.io/?EIO=4&transport=polling&sid=${id}`;
    const passedOn = await fetch(target, { method: 'POST', body: '3' });
    expect([passedOn.status, await passedOn.text()]).toEqual([200, 'ok']);
  }
});
