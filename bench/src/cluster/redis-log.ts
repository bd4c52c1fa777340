// The package does not export these modules, so that they are imported as they were built.
import { randomUUID } from 'node:crypto';
import type { Argument } from '../../../packages/server/dist/log/redis/library.js';
import { LogFunctions } from '../../../packages/server/dist/log/redis/log-functions.js';
import { openRedisLog, type RedisLog } from '../../../packages/server/dist/log/redis/open-redis-log.js';
import { ConnectionLostError } from '../../../packages/server/dist/log/redis/redis-errors.js';
import { openLink, type RedisLink } from '../../../packages/server/dist/log/redis/redis-link.js';
import { parseRedisUrl, type RedisServers } from '../../../packages/server/dist/log/redis/redis-url.js';
import { Invariants } from '../../../packages/server/dist/observability/invariants.js';
import { Rules, type Rule } from '../../../packages/server/dist/rules/rule.js';

const prefix = '{fanfare}:';

const usual = {
  match: '**',
  keep: { count: 100_000, ageMs: 604_800_000, bytes: 1e12 },
  create: 'publish',
  publishBytesMax: 1_048_576,
} as Rule;

const common = {
  rules: new Rules([], usual),
  topicsMax: 10_000,
  idsMax: 10_000,
  idWindowMs: 60_000,
  unusedPerSubjectMax: Infinity,
};

const quiet = { warn: (): void => {}, error: (): void => {} };

const serversAt = (port: number): RedisServers => parseRedisUrl(`redis://127.0.0.1:${port}`);

/** Opens the log of a node in this process, with the connections that a node has. */
export async function openLog(redisPort: number): Promise<RedisLog> {
  return openRedisLog({
    ...common,
    servers: serversAt(redisPort),
    prefix,
    replicas: 0,
    isInUse: () => false,
    usedInterests: () => [],
    onText: () => {},
    nodeId: randomUUID(),
    onFailure: () => {},
    invariants: new Invariants(quiet),
    logger: quiet,
  });
}

/** Calls the functions of the log over a connection such as a node has, and does nothing else. */
export class BareFunctions {
  readonly functions: LogFunctions;
  readonly #link: RedisLink;
  /** The time from the last call on the connection to its answer, in milliseconds. */
  roundTripMs = 0;

  static async open(redisPort: number): Promise<BareFunctions> {
    return new BareFunctions(await openLink(serversAt(redisPort)));
  }

  private constructor(link: RedisLink) {
    this.#link = link;
    this.functions = new LogFunctions((name, args) => this.#call(name, args), {
      ...common,
      level: () => 'memory',
    });
  }

  close(): void {
    this.#link.end(new ConnectionLostError('The measurement is over.', { isAnswerLost: false }));
  }

  async #call(name: string, args: readonly Argument[]): Promise<unknown> {
    const sentMs = performance.now();
    const answer = await this.#link.send('FCALL', [name, 1, prefix, ...args]);
    this.roundTripMs = performance.now() - sentMs;
    return answer;
  }
}
