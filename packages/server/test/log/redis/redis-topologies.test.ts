import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Topic } from '@fanfare/protocol';
import { afterEach, describe, expect, it } from 'vitest';
import type { RedisLog } from '../../../src/log/redis/open-redis-log.ts';
import { LogUncertainError, type LogRecord } from '../../../src/log/topic-log.ts';
import { soonMs, until, within } from '../../../../../test/waits.ts';
import { caughtUp, openNodeLog } from './open-node-log.ts';
import { freePort, startRedis, type RedisProcess } from './redis-process.ts';

const run = promisify(execFile);
const news = 'news' as Topic;

const servers: RedisProcess[] = [];
const opened: RedisLog[] = [];

async function redis(...config: string[]): Promise<RedisProcess> {
  const server = await startRedis({ config });
  servers.push(server);
  return server;
}

async function open(url: string, prefix: string, replicas = 0): Promise<RedisLog> {
  const one = await within(soonMs, 'the log opens', openNodeLog(url, { prefix, replicas }));
  opened.push(one);
  return one;
}

afterEach(async () => {
  await Promise.all(opened.splice(0).map(({ log }) => log.close()));
  await Promise.all(servers.splice(0).map((server) => server.close()));
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
    const primary = await redis();
    const replica = await redis(`replicaof 127.0.0.1 ${primary.port}`);
    const group = `g${primary.port}`;
    const sentinels: RedisProcess[] = [];
    for (let at = 0; at < 3; at++) {
      const config = [
        `sentinel monitor ${group} 127.0.0.1 ${primary.port} 2`,
        `sentinel down-after-milliseconds ${group} 500`,
        `sentinel failover-timeout ${group} 2000`,
      ];
      const sentinel = await startRedis({ config, mode: 'sentinel' });
      servers.push(sentinel);
      sentinels.push(sentinel);
    }
    await until('the Sentinels know one another and the replica', async () => {
      const known = await Promise.all(sentinels.map(({ admin }) => admin.call('SENTINEL', 'MASTER', group)));
      return known.every((each) => /num-slaves,1,.*num-other-sentinels,2,/.test(String(each)));
    });
    const hosts = sentinels.map(({ port }) => `127.0.0.1:${port}`).join(',');
    const one = await open(`redis+sentinel://${hosts}/${group}`, '{fanfare}:');
    const tail = follow(one);
    for (let at = 0; at < 10; at++) await append(one, at);
    await primary.admin.wait(1, 5_000);
    const { epoch } = one.log;
    await primary.kill();
    let promotedAt = Infinity;
    await until('the replica is promoted', async () => {
      return (await replica.admin.info('replication')).includes('role:master');
    });
    promotedAt = performance.now();
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
  async function cluster(): Promise<readonly RedisProcess[]> {
    const nodes: RedisProcess[] = [];
    for (let at = 0; at < 3; at++) {
      nodes.push(await redis('cluster-enabled yes', 'cluster-node-timeout 2000'));
    }
    const addresses = nodes.map(({ port }) => `127.0.0.1:${port}`);
    await run('redis-cli', ['--cluster', 'create', ...addresses, '--cluster-yes']);
    await until('the cluster is up', async () => {
      const infos = await Promise.all(nodes.map(({ admin }) => admin.cluster('INFO')));
      return infos.every((info) => info.includes('cluster_state:ok'));
    });
    return nodes;
  }

  it('finds the node that has the log from any node, and its tail gets everything', async () => {
    const nodes = await cluster();
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
    for (const { admin } of nodes) sizes.push(await admin.dbsize());
    // The three logs are in different nodes, or the test would not try the way to another node.
    expect(sizes.filter((size) => size > 0).length).toBeGreaterThan(1);
  }, 60_000);

  it('follows the log to another node of the cluster', async () => {
    const nodes = await cluster();
    const one = await open(`redis+cluster://127.0.0.1:${nodes[0]?.port}`, '{a}:');
    const tail = follow(one);
    await append(one, 0);
    const slot = Number(await nodes[0]?.admin.cluster('KEYSLOT', '{a}:'));
    const ids = await Promise.all(nodes.map(({ admin }) => admin.cluster('MYID')));
    let from = 0;
    for (const [at, { admin }] of nodes.entries()) if ((await admin.dbsize()) > 0) from = at;
    const to = (from + 1) % 3;
    const [source, target] = [nodes[from] as RedisProcess, nodes[to] as RedisProcess];
    await target.admin.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', ids[from] as string);
    await source.admin.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', ids[to] as string);
    const keys = (await source.admin.call('CLUSTER', 'GETKEYSINSLOT', slot, 1_000)) as string[];
    await source.admin.call('MIGRATE', '127.0.0.1', target.port, '', 0, 5_000, 'KEYS', ...keys);
    for (const { admin } of [target, source])
      await admin.call('CLUSTER', 'SETSLOT', slot, 'NODE', ids[to] as string);
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
  it('says that messages are replicated, and that it is unknown when replicas do not confirm', async () => {
    const primary = await redis();
    const replica = await redis(`replicaof 127.0.0.1 ${primary.port}`);
    await until('the replica follows', async () => {
      await primary.admin.set('{other}', 'x');
      return (await primary.admin.wait(1, 1_000)) === 1;
    });
    const one = await open(primary.url, '{fanfare}:', 1);
    const tail = follow(one);
    expect(await append(one, 1)).toMatchObject([{ kind: 'appended', stored: 'replicated' }]);
    replica.child.kill('SIGSTOP');
    const results = await Promise.allSettled([append(one, 2), append(one, 3)]);
    for (const result of results) {
      expect(result).toMatchObject({ status: 'rejected', reason: expect.any(LogUncertainError) as unknown });
    }
    replica.child.kill('SIGCONT');
    await until('the replica confirms again', async () => {
      return append(one, 4).then(
        () => true,
        () => false,
      );
    });
    await caughtUp(one);
    expect(tail.messages.slice(0, 3)).toEqual([1, 2, 3]);
  });

  it('counts replicas that have what an earlier connection has written', async () => {
    const primary = await redis();
    const replica = await redis(`replicaof 127.0.0.1 ${primary.port}`);
    await until('the replica follows', async () => {
      await primary.admin.set('{other}', 'x');
      return (await primary.admin.wait(1, 1_000)) === 1;
    });
    await primary.admin.set('a', 'b');
    expect(await primary.admin.wait(1, 5_000)).toBe(1);
    replica.child.kill('SIGSTOP');
    await primary.admin.set('a', 'c');
    const later = primary.admin.duplicate();
    // A connection waits for everything that was written before its last command, by whomever.
    await later.get('a');
    expect(await later.wait(1, 200)).toBe(0);
    replica.child.kill('SIGCONT');
    later.disconnect();
  });
});

describe('a connection with TLS', () => {
  it('is made if the certificate of Redis is trusted, and refused if it is not', async () => {
    const port = await freePort();
    const plain = await redis();
    const [key, cert] = [join(plain.directory, 'key.pem'), join(plain.directory, 'cert.pem')];
    const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1'];
    const kind = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2'];
    await run('openssl', [...kind, '-keyout', key, '-out', cert, ...subject]);
    await redis(
      `tls-port ${port}`,
      `tls-cert-file ${cert}`,
      `tls-key-file ${key}`,
      `tls-ca-cert-file ${cert}`,
      'tls-auth-clients no',
    );
    const dist = fileURLToPath(new URL('../../../dist/log/redis/', import.meta.url));
    const program = `
      const { openLink } = await import('${dist}redis-link.js');
      const { parseRedisUrl } = await import('${dist}redis-url.js');
      try {
        const link = await openLink(parseRedisUrl('rediss://127.0.0.1:${port}'));
        console.log(String(await link.send('ECHO', ['hello'])));
      } catch (error) {
        console.log(error.message);
      }
      process.exit();`;
    const connect = async (env: NodeJS.ProcessEnv): Promise<string> => {
      const { stdout } = await run(process.execPath, ['--input-type=module', '-e', program], {
        env: { ...process.env, ...env },
      });
      return stdout.trim();
    };
    expect(await connect({ NODE_EXTRA_CA_CERTS: cert })).toBe('hello');
    expect(await connect({})).toMatch(/cannot be reached.*self-signed/);
  });
});
