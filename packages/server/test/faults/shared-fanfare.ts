import { readFileSync } from 'node:fs';
import { freePort } from '../../../../bench/src/free-port.ts';
import type { Namespace } from '../redis/network-namespaces.ts';
import { RedisProxy } from '../redis/redis-proxy.ts';
import type { RedisServer } from '../redis/redis-server.ts';
import type { EarlierEpoch, Kept, Publish } from './history.ts';
import { placeOf } from './place.ts';
import { ServerProcess } from './server-process.ts';

export interface NodeOptions {
  readonly flags?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** The URL of Redis. By default a proxy of its own before the Redis server. */
  readonly redisUrl?: string;
  /** Where it runs. By default in the namespace of this process. */
  readonly network?: Namespace;
}

/** A server process that shares its log with others, and its network to Redis. */
export class SharedNode {
  readonly proxy: RedisProxy;
  readonly url: string;
  server: ServerProcess;
  readonly #start: () => ServerProcess;

  private constructor(proxy: RedisProxy, url: string, start: () => ServerProcess) {
    this.proxy = proxy;
    this.url = url;
    this.#start = start;
    this.server = start();
  }

  /** Launches it: it may not serve yet. */
  static async launch(
    redis: RedisServer,
    { flags = [], env = {}, redisUrl, network }: NodeOptions = {},
  ): Promise<SharedNode> {
    const proxy = await RedisProxy.to(redis.port);
    const port = await freePort();
    const all = ['--redis', redisUrl ?? `redis://127.0.0.1:${proxy.port}`, '--open', ...flags];
    if (network) all.push('--host', network.address);
    const url = `http://${network?.address ?? '127.0.0.1'}:${port}`;
    return new SharedNode(proxy, url, () => new ServerProcess({ port, flags: all, env, network }));
  }

  /** Waits until it serves. */
  async serves(): Promise<void> {
    await this.server.url();
  }

  launchAgain(): void {
    this.server = this.#start();
  }

  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.server.program.process.kill(signal);
  }

  /** The memory of the process, in bytes. */
  get residentBytes(): number {
    return this.#bytesOf('VmRSS');
  }

  /** The most memory that the process has had, in bytes. */
  get peakResidentBytes(): number {
    return this.#bytesOf('VmHWM');
  }

  #bytesOf(field: string): number {
    const status = readFileSync(`/proc/${this.server.program.process.pid}/status`, 'utf8');
    return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? Infinity) * 1024;
  }
}

/** Starts a number of nodes of one Fanfare, and waits until they serve. */
export async function startNodes(
  redis: RedisServer,
  count: number,
  options: readonly NodeOptions[] = [],
): Promise<readonly SharedNode[]> {
  const nodes = await Promise.all(
    Array.from({ length: count }, async (_, at) => SharedNode.launch(redis, options[at])),
  );
  await Promise.all(nodes.map((node) => node.serves()));
  return nodes;
}

/** The epochs before the present one, as the log has them, with those that it has forgotten before them. */
export async function earlierEpochs(
  redis: RedisServer,
  publishes: readonly Publish[],
  kept: readonly Kept[],
): Promise<readonly EarlierEpoch[]> {
  const lines = (await redis.command('LRANGE', '{fanfare}:lineage', 0, -1)) as string[];
  const known = lines.map((line) => ({ epoch: line.split(' ')[0] ?? '', cut: Number(line.split(' ')[1]) }));
  const present = new Set([
    ...known.map(({ epoch }) => epoch),
    ...kept.slice(-1).map(({ offset }) => placeOf(offset).epoch),
  ]);
  const named = publishes.flatMap(({ outcome }) =>
    outcome.kind === 'ok' ? [placeOf(outcome.offset).epoch] : [],
  );
  const forgotten = [...new Set(named)].filter((epoch) => !present.has(epoch));
  return [...forgotten.map((epoch) => ({ epoch, cut: -1 })), ...known];
}
