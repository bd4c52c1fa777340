import { afterAll, beforeAll } from 'vitest';
import { topicLogContract } from '../../contracts/topic-log.contract.ts';
import { openNodeLogUnderTest } from './open-node-log.ts';
import { startRedis, type RedisProcess } from './redis-process.ts';

let redis: RedisProcess;

beforeAll(async () => {
  redis = await startRedis();
});

afterAll(() => redis.close());

topicLogContract('A log on Redis with its connections', (options) => openNodeLogUnderTest(redis, options), {
  runs: 10,
});
