import { cpuUsOf, startTwoNodes, type TwoNodes } from '../nodes.ts';
import { BatchPublisher, createTopics } from '../load.ts';
import { fitLine, textOf, type Measurement, type Sample } from './sample.ts';

const nodesThere = 2;
const topics = 100;
const sizes = [1, 16, 64, 256];
const usualBytes = 256;
const largeBytes = 2_048;
const followersMany = 40;
const kib = 1_024;
/** A node combines requests only if it has four batches in flight. These have one request in flight each. */
const publishers = 2;

interface Costs {
  /** Of one frame, in microseconds. */
  readonly redis: number;
  readonly accepting: number;
  readonly following: number;
  readonly bytesOut: number;
}

/** What a batch costs Redis, the node that accepts it, and a node without subscribers of it. */
export const follow: Measurement = {
  name: 'follow',
  run: async (processes): Promise<Sample> => {
    const nodes = await startTwoNodes(processes);
    try {
      const run = await preparedRun(nodes);
      const points: (readonly [number, Costs])[] = [];
      for (const size of sizes) points.push([size, await run(size, usualBytes)]);
      const large = await run(64, largeBytes);
      const [, usual] = points[2] ?? [];
      await nodes.admin.follow(followersMany);
      const [watched, watchedLarge] = [await run(1, usualBytes), await run(64, largeBytes)];
      const [, single] = points[0] ?? [];
      if (!usual || !single) throw new Error('Nothing was measured.');
      const fit = (of: (costs: Costs) => number): ReturnType<typeof fitLine> =>
        fitLine(points.map(([size, costs]) => [size, of(costs)]));
      const [redis, accepting, following] = [
        fit((costs) => costs.redis),
        fit((costs) => costs.accepting - costs.following),
        fit((costs) => costs.following),
      ];
      const usualKib = usualBytes / kib;
      const addedKib = ((largeBytes - usualBytes) * 64) / kib;
      const frameKib = (frame: Costs): number => frame.bytesOut / nodesThere / kib;
      const followerOneUs = (watched.redis - single.redis) / followersMany;
      const followerLargeUs = (watchedLarge.redis - large.redis) / followersMany;
      const followerKibUs = (followerLargeUs - followerOneUs) / (frameKib(large) - frameKib(single));
      const followerUs = followerOneUs - followerKibUs * frameKib(single);
      // The two nodes followed while the batches were measured.
      const redisKibUs = (large.redis - usual.redis) / addedKib - nodesThere * followerKibUs;
      const nodeKibUs = (large.following - usual.following) / addedKib;
      const bytes = fit((costs) => costs.bytesOut);
      return {
        redisAppendUs: redis.base - nodesThere * followerUs,
        redisMessageUs: redis.slope - (redisKibUs + nodesThere * followerKibUs) * usualKib,
        redisMessageKibUs: redisKibUs,
        redisFollowerUs: followerUs,
        redisFollowerKibUs: followerKibUs,
        nodeFrameUs: following.base,
        nodeMessageUs: following.slope - nodeKibUs * usualKib,
        nodeMessageKibUs: nodeKibUs,
        nodePublishUs: accepting.base,
        nodeBatchMessageUs: accepting.slope,
        // With a half of the reply to the node that accepted the batch.
        frameBytes: bytes.base / nodesThere,
        frameMessageBytes: bytes.slope / nodesThere - usualBytes,
      };
    } finally {
      await nodes.stop();
    }
  },
};

async function preparedRun(nodes: TwoNodes): Promise<(size: number, bytes: number) => Promise<Costs>> {
  const [accepting, following] = nodes.pair;
  await createTopics(
    accepting.port,
    Array.from({ length: topics }, (_, at) => `topic-${at}`),
  );
  let published = 0;
  const run = async (size: number, bytes: number, batches: number): Promise<void> => {
    await Promise.all(
      Array.from({ length: publishers }, async () => {
        const publisher = new BatchPublisher(accepting.port);
        for (let batch = 0; batch < batches / publishers; batch++) {
          const first = (published += size);
          await publisher.publish(
            Array.from({ length: size }, (_, at) => ({
              topic: `topic-${(first + at) % topics}`,
              text: textOf(first + at, bytes),
            })),
          );
        }
        publisher.close();
      }),
    );
  };
  await run(1, usualBytes, 2_000);
  await run(64, usualBytes, 200);
  return async (size, bytes) => {
    const batches = Math.ceil((size === 1 ? 3_000 : 30_000 / size) / publishers) * publishers;
    const before = await nodes.admin.counters();
    const [redis = 0, accepted = 0, followed = 0] = await cpuUsOf([nodes.redis, accepting, following], () =>
      run(size, bytes, batches),
    );
    const after = await nodes.admin.counters();
    return {
      redis: redis / batches,
      accepting: accepted / batches,
      following: followed / batches,
      bytesOut: (after.bytesOut - before.bytesOut) / batches,
    };
  };
}
