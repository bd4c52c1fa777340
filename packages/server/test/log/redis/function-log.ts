import { randomUUID } from 'node:crypto';
import { parseInterest, type Topic } from '@fanfare/protocol';
import { decodeFrame } from '../../../src/log/redis/frame.ts';
import { LogFunctions } from '../../../src/log/redis/log-functions.ts';
import type { AppendCall, CallFunction, Frame } from '../../../src/log/redis/library.ts';
import { librarySource } from '../../../src/log/redis/lua/library-source.ts';
import type { AppendOutcome, NewRecord } from '../../../src/log/topic-log.ts';
import { Rules, type Rule } from '../../../src/rules/rule.ts';
import { until } from '../../../../../test/waits.ts';
import type { RedisClient } from '../../redis/redis-client.ts';
import type { RedisServer } from '../../redis/redis-server.ts';

const keep = { count: 1_000, ageMs: Infinity, bytes: Infinity };
const usual: Rule = { match: parseInterest('**'), keep, create: 'publish', publishBytesMax: 1_000_000 };

export interface FunctionLogOptions {
  readonly keep?: Partial<typeof keep> | 'none';
  readonly topicsMax?: number;
  readonly unusedPerSubjectMax?: number;
  /** Another log's, to use the same keys. */
  readonly prefix?: string;
}

/** The functions of a log under a prefix of its own, without a node. */
export class FunctionLog {
  readonly redis: RedisClient;
  readonly prefix: string;
  readonly functions: LogFunctions;
  readonly #subscriber: RedisClient;
  readonly #node = randomUUID();
  #journal = '-';
  #number = 0;

  static async open(server: RedisServer, options: FunctionLogOptions = {}): Promise<FunctionLog> {
    const prefix = options.prefix ?? `{${randomUUID()}}:`;
    const [redis, subscriber] = await Promise.all([server.connect(), server.connect()]);
    await redis.command('FUNCTION', 'LOAD', 'REPLACE', librarySource);
    const call: CallFunction = async (name, args) => redis.binary('FCALL', name, 1, prefix, ...args);
    const kept = options.keep === 'none' ? options.keep : { ...keep, ...options.keep };
    const functions = new LogFunctions(call, {
      rules: new Rules([], { ...usual, keep: kept }),
      topicsMax: options.topicsMax ?? 1_000,
      idsMax: 1_000,
      idWindowMs: 1_000,
      unusedPerSubjectMax: options.unusedPerSubjectMax ?? Infinity,
      level: () => 'memory',
    });
    await subscriber.subscribe(`${prefix}frames`);
    return new FunctionLog(redis, prefix, functions, subscriber);
  }

  private constructor(redis: RedisClient, prefix: string, functions: LogFunctions, subscriber: RedisClient) {
    this.redis = redis;
    this.prefix = prefix;
    this.functions = functions;
    this.#subscriber = subscriber;
  }

  get frames(): readonly Frame[] {
    return this.#subscriber.payloads.map(decodeFrame);
  }

  /** A batch with the next number of the node. */
  batch(records: readonly NewRecord[], more: Partial<AppendCall> = {}): AppendCall {
    return {
      node: this.#node,
      number: ++this.#number,
      seen: { epoch: '', sequence: 0 },
      validUntil: Number.MAX_SAFE_INTEGER,
      records,
      ...more,
    };
  }

  /** Appends messages to a topic. */
  async append(topic: Topic, ...messages: readonly (string | number)[]): Promise<readonly AppendOutcome[]> {
    const batch = this.batch(messages.map((message) => ({ topic, messageJson: String(message) })));
    const reply = await this.functions.append(batch);
    if (reply.kind === 'adopted') return this.append(topic, ...messages);
    if (reply.kind !== 'done') throw new Error(`the batch was ${reply.kind}`);
    return reply.outcomes;
  }

  /** The frames so far, once there are so many. */
  async framesUpTo(count: number): Promise<readonly Frame[]> {
    await until(`${count} frames come`, () => this.frames.length >= count, { soFar: () => this.frames });
    return this.frames;
  }

  /** Sets the clock, in milliseconds since 1970. */
  async setClock(ms: number): Promise<void> {
    await this.redis.command('HSET', `${this.prefix}meta`, 'test_clock', ms);
  }

  /** Sweeps until nothing is left to do. */
  async sweep(): Promise<void> {
    let isDone = false;
    const sweepOnce = async (): Promise<void> => {
      const swept = await this.functions.topics.sweep(this.#node, this.#journal);
      this.#journal = swept.journal;
      isDone = !swept.hasMore;
    };
    await until('the sweep is done', () => isDone, { step: sweepOnce });
  }

  /** The keys of the log with their values. */
  async copy(): Promise<ReadonlyMap<string, Buffer>> {
    const copy = new Map<string, Buffer>();
    const keys = await this.redis.command('KEYS', `${this.prefix.replace(/[{}]/g, '?')}*`);
    for (const key of keys as string[]) copy.set(key, (await this.redis.binary('DUMP', key)) as Buffer);
    return copy;
  }

  /** Replaces all keys of the log, behind its back. */
  async restore(copy: ReadonlyMap<string, Buffer>): Promise<void> {
    await this.empty();
    for (const [key, value] of copy) await this.redis.command('RESTORE', key, 0, value, 'REPLACE');
  }

  async empty(): Promise<void> {
    const keys = [...(await this.copy()).keys()];
    if (keys.length > 0) await this.redis.command('DEL', ...keys);
  }

  close(): void {
    this.redis.close();
    this.#subscriber.close();
  }
}
