import { readFileSync } from 'node:fs';
import { createServer, type FanfareServer } from '@fanfare/server';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { fanfare, outcome } from '../packages/cli/test/harness.ts';
import { librarySource } from '../packages/server/src/log/redis/lua/library-source.ts';
import { connectClient, strictLogger, transports } from '../packages/server/test/harness.ts';
import { startNginx } from '../packages/server/test/nginx.ts';
import { RedisServer } from '../packages/server/test/redis/redis-server.ts';
import { freePort } from '../bench/src/free-port.ts';
import { nextEvent, until } from './waits.ts';

const page = readFileSync(new URL('../docs/cluster.md', import.meta.url), 'utf8');

/** The line that makes a user of Redis. */
const aclRule = /^user fanfare .*$/m.exec(page)?.[0] ?? '';
const nginxConfig = /```nginx\n(.*?)```/s.exec(page)?.[1] ?? '';

/** What the server sends beside the calls of its functions. */
const ownCommands = ['fcall', 'function|load', 'subscribe', 'ssubscribe', 'wait', 'info', 'select'];

/** The settings of Redis in the page, without `appendfsync always`, which a slow disk makes slow. */
const redisConfig = ['appendonly yes', 'maxmemory-policy noeviction'];

async function startNode(redis: string): Promise<{ server: FanfareServer; url: string }> {
  const server = createServer({ port: 0, redis, logger: strictLogger, open: true, trustProxy: '127.0.0.1' });
  const url = await server.start();
  onTestFinished(() => server.stop());
  return { server, url };
}

describe('the user of Redis', () => {
  let redis: RedisServer;

  beforeAll(async () => {
    redis = await RedisServer.start({ config: [...redisConfig, aclRule.replace('PASSWORD', 'secret')] });
  });

  it('the user of Redis in docs/cluster.md may use the commands that the server and its functions use, and no others', async () => {
    const known = new Set((await redis.command('COMMAND', 'LIST')) as string[]);
    const named = [...librarySource.matchAll(/'([A-Z]+)'/g)].map(([, name = '']) => name.toLowerCase());
    const used = new Set([...ownCommands, ...named.filter((name) => known.has(name))]);
    const allowed = [...aclRule.matchAll(/ \+(\S+)/g)].map(([, name = '']) => name);
    expect(new Set(allowed)).toEqual(used);
    expect(aclRule).toContain(' -@all ');
  });

  it('servers with the user of Redis in docs/cluster.md are one Fanfare, and the user cannot touch other keys', async () => {
    const url = `redis://fanfare:secret@${redis.host}:${redis.port}/1`;
    const [one, other] = [await startNode(url), await startNode(url)];
    const client = await connectClient(one.url);
    await client.emitWithAck('subscribe', { topic: 'orders/*', envelope: true });
    const received = nextEvent(client, 'message', 'the message comes from the other server');
    const acknowledgement = await other.server.publish('orders/7', 'tea', { id: 'a', create: true });
    expect(acknowledgement).toMatchObject({ ok: true, stored: 'memory' });
    expect(await received).toMatchObject({ topic: 'orders/7', message: 'tea' });
    expect(await one.server.publish('orders/7', 'tea', { id: 'a' })).toMatchObject({ duplicate: true });
    const history = (await (await fetch(`${one.url}/messages?topic=orders/**`)).json()) as object;
    expect(history).toMatchObject({ messages: [{ message: 'tea' }] });
    const countNodes = async (): Promise<number> =>
      ((await (await fetch(`${one.url}/stats`)).json()) as { nodes: unknown[] }).nodes.length;
    await until('both nodes know each other', async () => (await countNodes()) === 2);
    await other.server.delete('orders/7');
    const user = await redis.connect();
    await user.command('AUTH', 'fanfare', 'secret');
    await expect(user.command('LRANGE', '{fanfare}:x', 0, -1)).resolves.toEqual([]);
    await expect(user.command('LRANGE', '{other}:x', 0, -1)).rejects.toThrow(/NOPERM|permission/);
    await expect(user.command('SUBSCRIBE', '{other}:frames')).rejects.toThrow(/NOPERM|permission/);
    await expect(user.command('CONFIG', 'GET', '*')).rejects.toThrow(/NOPERM|permission/);
  });
});

describe('the commands', () => {
  it('the commands in docs/cluster.md start two nodes, and one delivers what is published on the other', async () => {
    const redis = await RedisServer.start({ config: redisConfig });
    const ports = { 6379: redis.port, 5001: await freePort(), 5002: await freePort() };
    const here = (text: string): string =>
      text.replaceAll(/\b(6379|5001|5002)\b/g, (port) => String(ports[Number(port) as 6379]));
    const transcripts = [...page.matchAll(/^```console\n([^]*?)^```$/gm)]
      .flatMap(([, block = '']) => block.split(/^\$ /m).slice(1))
      .map((text) => text.split('\n'))
      .map(([command = '', ...output]) => ({ command: here(command), output: here(output.join('\n')) }));
    const [start, one, other, sub, pub, ...more] = transcripts;
    expect(more).toEqual([]);
    expect(start?.command).toMatch(/^redis-server .*--appendonly yes --maxmemory-policy noeviction$/);
    const run = (command = ''): ReturnType<typeof fanfare> => {
      expect(command).toMatch(/^npx fanfare /);
      return fanfare(...command.split(' ').slice(2));
    };
    const first = run(one?.command);
    const second = run(other?.command);
    await first.says(/^Access:.*\n/m);
    await second.says(/^Access:.*\n/m);
    const asNpx = (text: string): string => text.replaceAll(/^(\w+: +)fanfare /gm, '$1npx fanfare ');
    expect(asNpx(first.stdout)).toBe(one?.output);
    const subscriber = run(sub?.command);
    await subscriber.says(sub?.output ?? '?', 'stderr');
    expect(await outcome(run(pub?.command))).toMatchObject({ code: 0, stderr: pub?.output });
    await subscriber.says('hello\n');
  });
});

describe('the configuration of nginx', () => {
  it.each(transports)(
    'clients over %s need no sticky sessions behind the nginx of docs/cluster.md',
    async (transport) => {
      const redis = await RedisServer.start({ config: redisConfig });
      const nodes = [await startNode(redis.url), await startNode(redis.url)];
      const placeholders = ['10.0.0.11:5000', '10.0.0.12:5000'];
      const config = placeholders.reduce((text, placeholder, at) => {
        expect(text).toContain(placeholder);
        return text.replace(placeholder, `127.0.0.1:${new URL(nodes[at]?.url ?? '').port}`);
      }, nginxConfig);
      const nginx = await startNginx(config, '');
      onTestFinished(() => nginx.stop());
      const clients = await Promise.all(Array.from({ length: 4 }, () => connectClient(nginx.url, transport)));
      await Promise.all(clients.map((client) => client.emitWithAck('subscribe', { topic: 'news' })));
      for (const publisher of clients) {
        const received = clients.map((client) =>
          nextEvent(client, 'news', 'the message comes through nginx'),
        );
        expect(await publisher.emitWithAck('publish', { topic: 'news', message: 1 })).toMatchObject({
          ok: true,
        });
        expect(await Promise.all(received)).toEqual(clients.map(() => ({ message: 1 })));
      }
    },
  );
});
