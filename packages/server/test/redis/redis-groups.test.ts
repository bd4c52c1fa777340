import { describe, expect, it } from 'vitest';
import { until } from '../../../../test/waits.ts';
import { NetworkNamespaces, whyNoNamespaces } from './network-namespaces.ts';
import { RedisCluster } from './redis-cluster.ts';
import { RedisServer } from './redis-server.ts';
import { SentinelTrio } from './sentinel-trio.ts';

describe('a Sentinel trio', () => {
  it('a replica becomes the primary when the primary is killed, and the old one comes back as a replica', async () => {
    const trio = await SentinelTrio.start();
    const old = await trio.primary();
    expect(old).toBe(trio.servers[0]);
    await old.command('SET', 'key', 'kept');
    await old.untilCopied(2);
    const promoted = await trio.failOver();
    expect(promoted).not.toBe(old);
    expect(await promoted.command('GET', 'key')).toBe('kept');
    expect(await promoted.command('SET', 'key', 'new')).toBe('OK');
    await old.restart();
    await old.untilInfo('replication', /^master_link_status:up/m);
    await until('the old primary has it', async () => (await old.command('GET', 'key')) === 'new');
  });
});

describe('a Redis Cluster', () => {
  it('each node serves its slots, and names the node of others, also after a slot has moved with its keys', async () => {
    const cluster = await RedisCluster.start();
    const owner = await cluster.nodeOf('{fanfare}:meta');
    const other = cluster.nodes.find((node) => node !== owner) ?? owner;
    expect(await owner.command('SET', '{fanfare}:meta', 'moves')).toBe('OK');
    await expect(other.command('GET', '{fanfare}:meta')).rejects.toThrow(`127.0.0.1:${owner.port}`);

    await cluster.moveSlotOf('{fanfare}:meta', other);
    expect(await other.command('GET', '{fanfare}:meta')).toBe('moves');
    await expect(owner.command('GET', '{fanfare}:meta')).rejects.toThrow(/^MOVED /);
    expect(await cluster.nodeOf('{fanfare}:meta')).toBe(other);
  });
});

const missing = whyNoNamespaces();

describe.skipIf(missing)(`servers in network namespaces${missing ? ` (skipped: ${missing})` : ''}`, () => {
  it('packets are lost in one direction only, and nobody is told', async () => {
    const network = new NetworkNamespaces(2);
    const [near, far] = network.namespaces;
    if (!near || !far) throw new Error('there are no namespaces');
    const primary = await RedisServer.start({ network: near });
    const replica = await RedisServer.startReplica(primary, { network: far });
    // Since Redis 7.2, `WAIT` waits for what its own connection has written.
    const client = await primary.connect();
    const isCopied = async (value: number): Promise<boolean> => {
      await client.command('SET', 'key', value);
      return (await client.command('WAIT', 1, 500)) === 1;
    };
    await until('the replica acknowledges', async () => isCopied(1));
    const cut = network.cutOneWay(far, near);
    // The replica gets it, and its acknowledgement is lost.
    expect(await isCopied(2)).toBe(false);
    await until('the replica has it', async () => (await replica.command('GET', 'key')) === '2');
    expect(await replica.info('replication')).toContain('master_link_status:up');
    cut.lift();
    await until('the acknowledgements arrive', async () => isCopied(3));
  });

  it('the minority side of a partition keeps its primary, and the majority promotes another one', async () => {
    const network = new NetworkNamespaces(3);
    const trio = await SentinelTrio.start({ networks: network.namespaces });
    const old = await trio.primary();
    const fault = network.partition(network.namespaces.slice(0, 1), network.namespaces.slice(1));
    const promoted = await trio.promoted(old, trio.sentinels.slice(1));
    // Two primaries at once: this process reaches both sides.
    expect(await old.command('SET', 'key', 'lost')).toBe('OK');
    expect(await promoted.command('SET', 'key', 'kept')).toBe('OK');
    expect(await trio.primary(trio.sentinels[0])).toBe(old);
    fault.lift();
    await old.untilInfo('replication', /^master_link_status:up/m);
    expect(await old.command('GET', 'key')).toBe('kept');
  });
});
