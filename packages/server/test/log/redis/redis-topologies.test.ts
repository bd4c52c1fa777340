import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { Topic } from '@fanfare/protocol';
import { afterEach, describe, expect, it } from 'vitest';
import type { RedisLog } from '../../../src/log/redis/open-redis-log.ts';
import { LogUncertainError, type LogRecord } from '../../../src/log/topic-log.ts';
import { freePort } from '../../../../../bench/src/free-port.ts';
import { RedisCluster } from '../../redis/redis-cluster.ts';
import { RedisProxy } from '../../redis/redis-proxy.ts';
import { RedisServer } from '../../redis/redis-server.ts';
import { SentinelTrio } from '../../redis/sentinel-trio.ts';
import { selfSigned } from '../../self-signed.ts';
import { soonMs, until, within } from '../../../../../test/waits.ts';
import { caughtUp, openNodeLog } from './open-node-log.ts';

const run = promisify(execFile);
const news = 'news' as Topic;

const opened: RedisLog[] = [];

async function open(url: string, prefix: string, replicas = 0): Promise<RedisLog> {
  const one = await within(soonMs, 'the log opens', openNodeLog(url, { prefix, replicas }));
  opened.push(one);
  return one;
}

afterEach(async () => {
  await Promise.all(opened.splice(0).map(({ log }) => log.close()));
});

interface Tail {
  readonly messages: unknown[];
  behind: number;
}

function follow({ log }: RedisLog): Tail {
  const tail: Tail = { messages: [], behind: 0 };
  const add = ({ messageJson }: LogRecord): void => void tail.messages.push(JSON.parse(messageJson));
  log.tail({
    onRecords: (records) => records.forEach(add),
    onMissed: () => {},
    onBehind: () => tail.behind++,
  });
  return tail;
}

async function append({ log }: RedisLog, at: number): Promise<unknown> {
  return log.append([{ topic: news, messageJson: String(at), createsTopic: true }]);
}

describe('a log on a group of Sentinels', () => {
  it('goes on with the promoted replica, and nobody notices if it has everything', async () => {
    const trio = await SentinelTrio.start();
    const hosts = trio.sentinels.map(({ port }) => `127.0.0.1:${port}`).join(',');
    const one = await open(`redis+sentinel://${hosts}/${trio.name}`, '{fanfare}:');
    const tail = follow(one);
    for (let at = 0; at < 10; at++) await append(one, at);
    const [primary, ...replicas] = trio.servers as [RedisServer, ...RedisServer[]];
    await primary.untilCopied(2);
    const { epoch } = one.log;
    await primary.kill();
    await until('a replica is promoted', async () => {
      const infos = await Promise.all(replicas.map((replica) => replica.info('replication')));
      return infos.some((info) => info.includes('role:master'));
    });
    const promotedAt = performance.now();
    await until('publishing succeeds again', async () => {
      return append(one, 10).then(
        () => true,
        () => false,
      );
    });
    expect(performance.now() - promotedAt).toBeLessThan(4_000);
    await caughtUp(one);
    expect(tail.messages).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(tail.behind).toBe(0);
    expect(one.log.epoch).not.toBe(epoch);
  }, 60_000);
});

describe('a log on a Redis Cluster', () => {
  it('finds the node that has the log from any node, and its tail gets everything', async () => {
    const { nodes } = await RedisCluster.start();
    const sizes: number[] = [];
    for (const prefix of ['{a}:', '{b}:', '{c}:']) {
      const one = await open(`redis+cluster://127.0.0.1:${nodes[0]?.port}`, prefix);
      const other = await open(
        `redis+cluster://127.0.0.1:${nodes[1]?.port},127.0.0.1:${nodes[2]?.port}`,
        prefix,
      );
      const [tail, otherTail] = [follow(one), follow(other)];
      for (let at = 0; at < 5; at++) await append(at % 2 === 0 ? one : other, at);
      await caughtUp(one);
      await caughtUp(other);
      expect(tail.messages).toEqual([0, 1, 2, 3, 4]);
      expect(otherTail.messages).toEqual([0, 1, 2, 3, 4]);
    }
    for (const node of nodes) sizes.push(Number(await node.command('DBSIZE')));
    // The three logs are in different nodes, or the test would not try the way to another node.
    expect(sizes.filter((size) => size > 0).length).toBeGreaterThan(1);
  }, 60_000);

  it('follows the log to another node of the cluster', async () => {
    const cluster = await RedisCluster.start();
    const one = await open(`redis+cluster://127.0.0.1:${cluster.nodes[0]?.port}`, '{a}:');
    const tail = follow(one);
    await append(one, 0);
    const from = await cluster.nodeOf('{a}:');
    const to = cluster.nodes.find((node) => node !== from) as RedisServer;
    await cluster.moveSlotOf('{a}:', to);
    expect(await from.command('DBSIZE')).toBe(0);
    await until('publishing succeeds again', async () => {
      return append(one, 1).then(
        () => true,
        () => false,
      );
    });
    await until('the tail follows', () => tail.messages.length === 2);
    expect(tail.messages).toEqual([0, 1]);
    expect(tail.behind).toBe(0);
  }, 60_000);
});

describe('a log whose replicas must confirm', () => {
  /** A primary with a replica that confirms. */
  async function startBoth(): Promise<{ primary: RedisServer; replica: RedisServer }> {
    const primary = await RedisServer.start();
    const replica = await RedisServer.startReplica(primary);
    await primary.untilCopied(1);
    return { primary, replica };
  }

  it('says that messages are replicated, and that it is unknown when replicas do not confirm', async () => {
    const { primary, replica } = await startBoth();
    const one = await open(primary.url, '{fanfare}:', 1);
    const tail = follow(one);
    expect(await append(one, 1)).toMatchObject([{ kind: 'appended', stored: 'replicated' }]);
    replica.pause();
    const results = await Promise.allSettled([append(one, 2), append(one, 3)]);
    for (const result of results) {
      expect(result).toMatchObject({ status: 'rejected', reason: expect.any(LogUncertainError) as unknown });
    }
    replica.resume();
    await until('the replica confirms again', async () => {
      return append(one, 4).then(
        () => true,
        () => false,
      );
    });
    await caughtUp(one);
    expect(tail.messages.slice(0, 3)).toEqual([1, 2, 3]);
  });

  const has = (primary: RedisServer, messages: number): Promise<void> =>
    until(
      'Redis has the messages',
      async () => (await primary.command('LLEN', '{fanfare}:m:news')) === messages,
    );

  it('waits for the replicas again when another node gets the same id', async () => {
    const { primary, replica } = await startBoth();
    const [one, other] = [await open(primary.url, '{fanfare}:', 1), await open(primary.url, '{fanfare}:', 1)];
    for (const each of [one, other]) expect(await append(each, 1)).toMatchObject([{ stored: 'replicated' }]);
    const record = { topic: news, messageJson: '2', id: 'a retry' };
    replica.pause();
    await expect(one.log.append([record])).rejects.toThrow(LogUncertainError);
    await expect(other.log.append([record])).rejects.toThrow(LogUncertainError);
    replica.resume();
    await until('the replica confirms again', () =>
      other.log.append([record]).then(
        ([outcome]) => outcome?.kind === 'duplicate',
        () => false,
      ),
    );
  });

  it('waits for the replicas again on the next connection if one is lost meanwhile', async () => {
    const { primary, replica } = await startBoth();
    const proxy = await RedisProxy.to(primary.port);
    const one = await open(`redis://127.0.0.1:${proxy.port}`, '{fanfare}:', 1);
    expect(await append(one, 1)).toMatchObject([{ stored: 'replicated' }]);
    replica.pause();
    const result = append(one, 2);
    await has(primary, 2);
    proxy.cut();
    await expect(result).rejects.toThrow(LogUncertainError);
    expect(await primary.command('LLEN', '{fanfare}:m:news')).toBe(2);
    replica.resume();
  });

  it('says that it is unknown what became of messages if Redis ends before the replicas confirm them', async () => {
    const { primary, replica } = await startBoth();
    const one = await open(primary.url, '{fanfare}:', 1);
    expect(await append(one, 1)).toMatchObject([{ stored: 'replicated' }]);
    replica.pause();
    // Both batches are answered at once: one waits for the replicas, and the other one for this wait.
    primary.pause();
    const first = append(one, 2);
    await nextTurn();
    const second = append(one, 3);
    await nextTurn();
    primary.resume();
    await has(primary, 3);
    await primary.kill();
    await expect(first).rejects.toThrow(LogUncertainError);
    await expect(second).rejects.toThrow(LogUncertainError);
    replica.resume();
  });
});

describe('a connection with TLS', () => {
  const dist = fileURLToPath(new URL('../../../dist/log/redis/', import.meta.url));
  const program = `
    const { openLink } = await import('${dist}redis-link.js');
    const { parseRedisUrl } = await import('${dist}redis-url.js');
    try {
      const link = await openLink(parseRedisUrl(process.argv[1]));
      console.log(String(await link.send('ECHO', ['hello'])));
    } catch (error) {
      console.log(error.message);
    }
    process.exit();`;

  /** Connects in a process whose certificates the environment names. */
  async function connect(url: string, env: NodeJS.ProcessEnv): Promise<string> {
    const { stdout } = await run(process.execPath, ['--input-type=module', '-e', program, url], {
      env: { ...process.env, ...env },
    });
    return stdout.trim();
  }

  /** The configuration of a server that accepts TLS on a second port. */
  const configOf = (port: number): string[] => [
    `tls-port ${port}`,
    'tls-cert-file tls.pem',
    'tls-key-file tls.pem',
    'tls-ca-cert-file tls.pem',
    'tls-auth-clients no',
  ];

  it('is made if the certificate of Redis is trusted, and refused if it is not', async () => {
    const port = await freePort();
    const redis = await RedisServer.start({
      files: { 'tls.pem': await selfSigned() },
      config: configOf(port),
    });
    const url = `rediss://127.0.0.1:${port}`;
    expect(await connect(url, { NODE_EXTRA_CA_CERTS: join(redis.directory, 'tls.pem') })).toBe('hello');
    expect(await connect(url, {})).toMatch(/cannot be reached.*self-signed/);
  });

  it('to Sentinels and to the primary is made if their certificates are trusted, and refused if one is not', async () => {
    const [port, sentinelPort] = [await freePort(), await freePort()];
    const [ofRedis, ofSentinel] = [await selfSigned(), await selfSigned()];
    const redis = await RedisServer.start({ files: { 'tls.pem': ofRedis }, config: configOf(port) });
    const sentinel = await RedisServer.start({
      mode: 'sentinel',
      files: { 'tls.pem': ofSentinel, 'both.pem': ofRedis + ofSentinel, 'redis.pem': ofRedis },
      config: [
        ...configOf(sentinelPort).map((line) =>
          line.replace('ca-cert-file tls.pem', 'ca-cert-file both.pem'),
        ),
        'tls-replication yes',
        `sentinel monitor mymaster 127.0.0.1 ${port} 1`,
      ],
    });
    const url = `rediss+sentinel://127.0.0.1:${sentinelPort}/mymaster`;
    const trusting = (name: string): NodeJS.ProcessEnv => ({
      NODE_EXTRA_CA_CERTS: join(sentinel.directory, name),
    });
    expect(await connect(url, trusting('both.pem'))).toBe('hello');
    expect(await connect(url, trusting('redis.pem'))).toBe(
      "The Sentinels of the group 'mymaster' cannot be reached: self-signed certificate",
    );
    expect(await connect(url, trusting('tls.pem'))).toMatch(/cannot be reached.*self-signed/);
    expect(redis.isRunning).toBe(true);
  });
});
