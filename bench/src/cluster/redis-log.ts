// The package does not export these modules, so that they are imported as they were built.
import { randomUUID } from 'node:crypto';
import { encodeRuns } from '../../../packages/server/dist/log/redis/batch-codec.js';
import type { Argument } from '../../../packages/server/dist/log/redis/library.js';
import { LogFunctions } from '../../../packages/server/dist/log/redis/log-functions.js';
import { librarySource } from '../../../packages/server/dist/log/redis/lua/library-source.js';
import { openRedisLog, type RedisLog } from '../../../packages/server/dist/log/redis/open-redis-log.js';
import { ConnectionLostError } from '../../../packages/server/dist/log/redis/redis-errors.js';
import { openLink, type RedisLink } from '../../../packages/server/dist/log/redis/redis-link.js';
import { parseRedisUrl, type RedisServers } from '../../../packages/server/dist/log/redis/redis-url.js';
import type { NewRecord } from '../../../packages/server/dist/log/topic-log.js';
import { Invariants } from '../../../packages/server/dist/observability/invariants.js';
import { Rules, type Rule } from '../../../packages/server/dist/rules/rule.js';
import { ContentError } from '../load/checker.ts';
import { pushesName, pushesSource } from './pushes.ts';

export type { NewRecord };

const prefix = '{fanfare}:';

const keptUsually = 100_000;

const ruleThatKeeps = (count: number): Rule => ({
  match: '**' as Rule['match'],
  keep: { count, ageMs: 604_800_000, bytes: 1e12 },
  create: 'publish',
  publishBytesMax: 1_048_576,
});

const common = {
  rules: new Rules([], ruleThatKeeps(keptUsually)),
  topicsMax: 10_000,
  idsMax: 10_000,
  idWindowMs: 60_000,
  unusedPerSubjectMax: Infinity,
};

const nothingSeen = { epoch: '', sequence: 0 };
/** As long as the limits that `append` gets. */
const noLimits = Buffer.alloc(32);

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
  readonly #rule: Rule;
  /** The time from the last call on the connection to its answer, in milliseconds. */
  roundTripMs = 0;

  /** @param keepCount - how many messages a topic keeps */
  static async open(redisPort: number, keepCount: number = keptUsually): Promise<BareFunctions> {
    const link = await openLink(serversAt(redisPort));
    await link.send('FUNCTION', ['LOAD', 'REPLACE', librarySource]);
    const bare = new BareFunctions(link, ruleThatKeeps(keepCount));
    await bare.functions.hello('bench', undefined);
    return bare;
  }

  private constructor(link: RedisLink, rule: Rule) {
    this.#link = link;
    this.#rule = rule;
    this.functions = new LogFunctions((name, args) => this.#call(name, args), {
      ...common,
      rules: new Rules([], rule),
      level: () => 'memory',
    });
  }

  /**
   * Appends a batch. Rejects with a ContentError if a message was not appended.
   *
   * @param number - of the node's batch, from 1
   * @returns the places of the messages
   */
  async append(node: string, number: number, records: readonly NewRecord[]): Promise<readonly number[]> {
    const call = { node, number, seen: nothingSeen, validUntil: Number.MAX_SAFE_INTEGER, records };
    const reply = await this.functions.append(call);
    const outcomes = reply.kind === 'done' ? reply.outcomes : [];
    const sequences = outcomes.flatMap((one) => (one.kind === 'appended' ? [one.sequence] : []));
    if (sequences.length !== records.length)
      throw new ContentError(
        `Of a batch of ${records.length}, ${sequences.length} messages were appended. The answer was ${reply.kind}.`,
      );
    return sequences;
  }

  async loadPushes(): Promise<void> {
    await this.#link.send('FUNCTION', ['LOAD', 'REPLACE', pushesSource]);
  }

  /** Calls the function that only pushes, with the arguments of `append`. */
  async push(records: readonly NewRecord[]): Promise<void> {
    const { epoch, sequence } = nothingSeen;
    const runs = encodeRuns(records, () => this.#rule);
    const args = ['node', 1, epoch, sequence, Number.MAX_SAFE_INTEGER, noLimits, ...runs];
    await this.#link.send('FCALL', [pushesName, 1, prefix, ...args]);
  }

  /** How many messages were pushed to topics. */
  async countPushed(topics: readonly string[]): Promise<number> {
    const lengths = await Promise.all(
      topics.map((topic) => this.#link.send('LLEN', [`${prefix}p:${topic}`])),
    );
    return lengths.reduce<number>((sum, length) => sum + Number(length), 0);
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
