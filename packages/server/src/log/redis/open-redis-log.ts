import type { Invariants } from '../../observability/invariants.ts';
import type { Logger } from '../../observability/logger.ts';
import { decodeFrame } from './frame.ts';
import type { LogFunctionsOptions } from './function-client.ts';
import { LogFunctions } from './log-functions.ts';
import { librarySource } from './lua/library-source.ts';
import { RedisNode } from './redis-node.ts';
import { RedisTopicLog, type RedisTopicLogOptions } from './redis-topic-log.ts';
import type { RedisServers } from './redis-url.ts';
import type { RedisStored } from './server-check.ts';

export interface RedisLogOptions
  extends
    Omit<LogFunctionsOptions, 'level' | 'onState'>,
    Pick<RedisTopicLogOptions, 'nodeId' | 'isInUse' | 'usedInterests' | 'onFailure'> {
  readonly servers: RedisServers;
  /** What all keys of the log begin with, with a hash tag: `{fanfare}:`. */
  readonly prefix: string;
  /** The number of replicas that must confirm each append; 0 for none. */
  readonly replicas: number;
  /** The level at which Redis stores, if its user may not read its configuration. */
  readonly stored?: RedisStored | undefined;
  /** Receives the texts that other nodes send to this one. */
  readonly onText: (text: string) => void;
  readonly invariants: Invariants;
  readonly logger: Logger;
}

/** The log on Redis, and this server's part of it, for figures and health. */
export interface RedisLog {
  readonly log: RedisTopicLog;
  readonly node: RedisNode<LogFunctions>;
}

/**
 * Connects to Redis, and begins or joins the log.
 *
 * @throws RedisRefusedError if Redis cannot carry the log with its settings; a LogUnreachableError after
 * 10 s; a LogDamagedError
 */
export async function openRedisLog(options: RedisLogOptions): Promise<RedisLog> {
  const node = await RedisNode.open({
    ...options,
    node: options.nodeId,
    functions: {
      code: librarySource,
      decodeFrame,
      create: (call, level, onState) => new LogFunctions(call, { ...options, level, onState }),
    },
  });
  try {
    const { reading, topics } = node.library;
    const log = await RedisTopicLog.open({ ...options, node, reading, topics });
    return { log, node };
  } catch (error) {
    await node.close();
    throw error;
  }
}
