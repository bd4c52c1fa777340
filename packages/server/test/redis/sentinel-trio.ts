import { sleep, until } from '../../../../test/waits.ts';
import { RedisServer, type RedisOptions } from './redis-server.ts';

/** How a client asks Sentinel for the primary. */
const name = 'fanfare';

/** How long a failover may take: Sentinel tries again only after twice `failover-timeout`. */
const failoverMs = 60_000;

/** How often sentinels ask and tell each other, in milliseconds. By default some seconds. */
const periods = ['info-period', 500, 'publish-period', 200, 'ping-period', 200, 'ask-period', 200];

export interface SentinelOptions {
  /** After what silence a server counts as down. Lower values cause failovers on a busy machine. */
  readonly downAfterMs?: number;
  /** Of the primary and the replicas. */
  readonly config?: readonly string[];
  /** Of the sentinels: passwords, for example. */
  readonly sentinelConfig?: readonly string[];
  /** Where the servers and the sentinels run, one network for each pair of them. By default this machine. */
  readonly networks?: readonly NonNullable<RedisOptions['network']>[];
}

/** Three sentinels that watch a primary and two replicas. */
export class SentinelTrio {
  readonly name: string = name;
  readonly servers: readonly RedisServer[];
  readonly sentinels: readonly RedisServer[];

  private constructor(servers: readonly RedisServer[], sentinels: readonly RedisServer[]) {
    this.servers = servers;
    this.sentinels = sentinels;
  }

  /** Starts them, and waits until each sentinel knows all others. */
  static async start(options: SentinelOptions = {}): Promise<SentinelTrio> {
    const { downAfterMs = 1_000, config = [], sentinelConfig = [], networks = [] } = options;
    const at = (index: number): RedisOptions => {
      const network = networks[index];
      return network ? { network } : {};
    };
    const primary = await RedisServer.start({ ...at(0), config });
    const replicas = await Promise.all(
      [1, 2].map((index) => RedisServer.startReplica(primary, { ...at(index), config })),
    );
    const watching = [
      `sentinel monitor ${name} ${primary.host} ${primary.port} 2`,
      `sentinel down-after-milliseconds ${name} ${downAfterMs}`,
      `sentinel failover-timeout ${name} 5000`,
      ...sentinelConfig,
    ];
    const sentinels = await Promise.all(
      [0, 1, 2].map((index) => RedisServer.start({ ...at(index), mode: 'sentinel', config: watching })),
    );
    await Promise.all(sentinels.map((sentinel) => sentinel.command('SENTINEL', 'DEBUG', ...periods)));
    const trio = new SentinelTrio([primary, ...replicas], sentinels);
    await trio.#everySentinel('knows all others', ({ replicas: known, sentinels: others }) => {
      return known === '2' && others === '2';
    });
    return trio;
  }

  /** The server that a sentinel names as primary. */
  async primary(sentinel: RedisServer | undefined = this.sentinels[0]): Promise<RedisServer> {
    if (!sentinel) throw new Error('there is no sentinel');
    const [host, port] = (await sentinel.command('SENTINEL', 'get-master-addr-by-name', name)) as string[];
    const found = this.servers.find((server) => server.host === host && server.port === Number(port));
    if (!found) throw new Error(`sentinel names ${host}:${port}`);
    return found;
  }

  /** Kills the primary, and waits until all sentinels name another one. @returns the new primary */
  async failOver(): Promise<RedisServer> {
    const old = await this.primary();
    await old.kill();
    return this.promoted(old);
  }

  /** Waits until sentinels name another primary, and it accepts writes. @param by - all of them by default */
  async promoted(old: RedisServer, by: readonly RedisServer[] = this.sentinels): Promise<RedisServer> {
    const hasChanged = async (): Promise<boolean> => {
      const named = await Promise.all(by.map((sentinel) => this.primary(sentinel)));
      return named.every((server) => server !== old && server === named[0]);
    };
    const logs = (): unknown => by.map(({ log }) => log);
    await until('the sentinels name a new primary', hasChanged, {
      // Sentinel answers questions only; its events would need a connection to each.
      step: () => sleep(50),
      soFar: logs,
      ms: failoverMs,
    });
    const promoted = await this.primary(by[0]);
    await promoted.untilInfo('replication', /^role:master/m);
    return promoted;
  }

  async #everySentinel(what: string, holds: (view: SentinelView) => boolean): Promise<void> {
    const check = async (): Promise<boolean> => {
      const views = await Promise.all(this.sentinels.map(viewOf));
      return views.every(holds);
    };
    await until(`every sentinel ${what}`, check, {
      // Sentinels find each other through messages.
      step: () => sleep(50),
      soFar: () => this.sentinels.map(({ log }) => log),
    });
  }
}

interface SentinelView {
  readonly replicas: string | undefined;
  readonly sentinels: string | undefined;
}

async function viewOf(sentinel: RedisServer): Promise<SentinelView> {
  const fields = (await sentinel.command('SENTINEL', 'MASTER', name)) as string[];
  const valueOf = (field: string): string | undefined => fields[fields.indexOf(field) + 1];
  return { replicas: valueOf('num-slaves'), sentinels: valueOf('num-other-sentinels') };
}
