import { freePort } from '../../../../bench/src/free-port.ts';
import { sleep, until } from '../../../../test/waits.ts';
import { RedisServer } from './redis-server.ts';

const slots = 16_384;

/** A Redis Cluster of three primaries, without replicas. */
export class RedisCluster {
  readonly nodes: readonly RedisServer[];

  private constructor(nodes: readonly RedisServer[]) {
    this.nodes = nodes;
  }

  /** Starts it, and waits until every node serves. */
  static async start(config: readonly string[] = []): Promise<RedisCluster> {
    const nodes = await Promise.all(
      [0, 1, 2].map(async () => {
        const bus = `cluster-port ${await freePort()}`;
        const lines = ['cluster-enabled yes', 'cluster-node-timeout 5000', bus, ...config];
        return RedisServer.start({ config: lines });
      }),
    );
    const cluster = new RedisCluster(nodes);
    await cluster.#join();
    return cluster;
  }

  /** The node that has the slot of a key. */
  async nodeOf(key: string): Promise<RedisServer> {
    const ranges = (await this.#first.command('CLUSTER', 'SLOTS')) as [number, number, [string, number]][];
    const slot = Number(await this.#first.command('CLUSTER', 'KEYSLOT', key));
    const owner = ranges.find(([from, to]) => from <= slot && slot <= to)?.[2];
    const node = this.nodes.find(({ port }) => port === owner?.[1]);
    if (!node) throw new Error(`no node has slot ${slot}`);
    return node;
  }

  /** Moves the slot of a key, with all its keys, to another node. Its old node then answers `MOVED`. */
  async moveSlotOf(key: string, to: RedisServer): Promise<void> {
    const from = await this.nodeOf(key);
    const slot = Number(await from.command('CLUSTER', 'KEYSLOT', key));
    const target = String(await to.command('CLUSTER', 'MYID'));
    await to.command('CLUSTER', 'SETSLOT', slot, 'IMPORTING', String(await from.command('CLUSTER', 'MYID')));
    await from.command('CLUSTER', 'SETSLOT', slot, 'MIGRATING', target);
    const keys = (await from.command('CLUSTER', 'GETKEYSINSLOT', slot, 100_000)) as string[];
    if (keys.length > 0) await from.command('MIGRATE', to.host, to.port, '', 0, 30_000, 'KEYS', ...keys);
    // The new owner first: otherwise nobody has the slot for a moment.
    const others = this.nodes.filter((node) => node !== to);
    for (const node of [to, ...others]) await node.command('CLUSTER', 'SETSLOT', slot, 'NODE', target);
  }

  get #first(): RedisServer {
    const [first] = this.nodes;
    if (!first) throw new Error('the cluster has no nodes');
    return first;
  }

  async #join(): Promise<void> {
    const share = Math.ceil(slots / this.nodes.length);
    for (const [index, node] of this.nodes.entries()) {
      const last = Math.min(slots, (index + 1) * share) - 1;
      await node.command('CLUSTER', 'SET-CONFIG-EPOCH', index + 1);
      await node.command('CLUSTER', 'ADDSLOTSRANGE', index * share, last);
      const [, bus = ''] = (await node.command('CONFIG', 'GET', 'cluster-port')) as string[];
      if (node !== this.#first) await this.#first.command('CLUSTER', 'MEET', node.host, node.port, bus);
    }
    const isJoined = async (): Promise<boolean> => {
      const infos = await Promise.all(this.nodes.map((node) => node.command('CLUSTER', 'INFO')));
      return infos.every(
        (info) => /cluster_state:ok/.test(String(info)) && /cluster_known_nodes:3/.test(String(info)),
      );
    };
    // Nodes learn of each other by gossip.
    await until('every node of the cluster serves', isJoined, { step: () => sleep(50) });
  }
}
