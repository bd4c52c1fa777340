import { setTimeout as sleep } from 'node:timers/promises';
import { readResidentKib } from '../../load/cpu-time.ts';
import { BatchPublisher, createTopics, type Message } from '../load.ts';
import { startNodes } from '../nodes.ts';
import { textOf, type Measurement, type Sample } from './sample.ts';

const topics = Array.from({ length: 100 }, (_, at) => `topic-${at}`);
const messages = 25_600;
const batch = 256;
/** A node keeps the newest messages up to 64 MiB, and counts 256 bytes for each beside its text. */
const ringMessages = 150_000;
const settleMs = 15_000;

/** The memory of stored messages and ids in Redis, and of the newest messages in a node. */
export const logMemory: Measurement = {
  name: 'log-memory',
  run: async (processes): Promise<Sample> => {
    const { admin, all, stop } = await startNodes(processes, 1);
    const [node] = all;
    if (!node) throw new Error('A node is needed.');
    const publisher = new BatchPublisher(node.port);
    let number = 0;
    const store = async (count: number, bytes: number, hasId: boolean): Promise<number> => {
      const before = (await admin.counters()).bytesUsed;
      for (let sent = 0; sent < count; sent += batch) {
        const items = Array.from({ length: batch }, (): Message => {
          const topic = topics[++number % topics.length] ?? '';
          return { topic, text: textOf(number, bytes), ...(hasId && { id: `message-${number}` }) };
        });
        await publisher.publish(items);
      }
      return ((await admin.counters()).bytesUsed - before) / count;
    };
    try {
      await createTopics(node.port, topics);
      await store(10_240, 256, false);
      const small = await store(messages, 64, false);
      const large = await store(messages, 1_024, false);
      const withId = await store(messages, 64, true);
      await store(ringMessages, 256, false);
      await sleep(settleMs);
      const full = (readResidentKib(node.pid) ?? Number.NaN) * 1024;
      return {
        redisMessageBytes: (small + large) / 2 - (64 + 1_024) / 2,
        redisIdBytes: withId - small,
        nodeFullBytes: full,
      };
    } finally {
      publisher.close();
      await stop();
    }
  },
};
