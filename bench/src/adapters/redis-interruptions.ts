import { setTimeout as sleep } from 'node:timers/promises';
import type { CuttingProxy } from '../continuity/cutting-proxy.ts';
import type { Span } from '../continuity/interruptions.ts';
import type { RestartableRedis } from './restartable-redis.ts';

export interface RedisSpan extends Omit<Span, 'sleepMs'> {
  /** How long Redis is down at most. */
  readonly outageMs: number;
}

export interface RedisWorld {
  readonly redis: RestartableRedis;
  /** Between the second node and Redis. */
  readonly proxy: CuttingProxy;
  readonly cutMs: number;
  readonly outageMs: number;
}

/** Something that happens to Redis, or to the network between Redis and one of two nodes. */
export interface RedisInterruption {
  readonly id: string;
  readonly about: string;
  /** Whether it happens only once in a run. */
  readonly isSingle?: boolean;
  readonly interrupt: (world: RedisWorld) => Promise<void>;
}

export const redisInterruptions: readonly RedisInterruption[] = [
  {
    id: 'restarted',
    about: 'Redis gets SIGTERM, and is started again at once',
    interrupt: async ({ redis }) => {
      await redis.stop('SIGTERM');
      await redis.start();
    },
  },
  {
    id: 'killed',
    about: 'Redis gets SIGKILL, and is started again at once',
    interrupt: async ({ redis }) => {
      await redis.stop('SIGKILL');
      await redis.start();
    },
  },
  {
    id: 'down',
    about: 'Redis gets SIGTERM, and is started again after a while',
    interrupt: async ({ redis, cutMs }) => {
      await redis.stop('SIGTERM');
      await sleep(cutMs);
      await redis.start();
    },
  },
  {
    id: 'outage',
    about: 'the same, after a longer while, and once',
    isSingle: true,
    interrupt: async ({ redis, outageMs }) => {
      await redis.stop('SIGTERM');
      await sleep(outageMs);
      await redis.start();
    },
  },
  {
    id: 'cut-off',
    about: 'all connections of one node to Redis get RST on both ends, and there are none for a while',
    interrupt: async ({ proxy, cutMs }) => {
      proxy.cut('reset');
      await sleep(cutMs);
      proxy.mend();
    },
  },
  {
    id: 'held',
    about: 'all bytes between one node and Redis are held back for a while, and then arrive',
    interrupt: async ({ proxy, cutMs }) => {
      proxy.hold();
      await sleep(cutMs);
      proxy.mend();
    },
  },
];

export async function interruptRepeatedly(
  { interrupt, isSingle = false }: RedisInterruption,
  { redis, proxy }: Pick<RedisWorld, 'redis' | 'proxy'>,
  { cuts, betweenMs, cutMs, outageMs }: RedisSpan,
): Promise<void> {
  for (let done = 0; done < (isSingle ? 1 : cuts); done++) {
    await sleep(betweenMs);
    await interrupt({ redis, proxy, cutMs, outageMs });
  }
  await sleep(betweenMs);
}
