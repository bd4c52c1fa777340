import { afterAll, beforeAll } from 'vitest';
import { topicLogContract } from '../../contracts/topic-log.contract.ts';
import { RedisServer } from '../../redis/redis-server.ts';
import { openNodeLogUnderTest } from './open-node-log.ts';

let redis: RedisServer;

beforeAll(async () => {
  redis = await RedisServer.start();
});

afterAll(() => redis.kill());

topicLogContract('A log on Redis with its connections', (options) => openNodeLogUnderTest(redis, options), {
  runs: 10,
});
