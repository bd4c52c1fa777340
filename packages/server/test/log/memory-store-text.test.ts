import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import { noDeletions } from '../../src/log/local/deletions.ts';
import { MemoryStore } from '../../src/log/store/memory-store.ts';

it('a message in memory does not keep the text of its request', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const store = new MemoryStore();
  const requestBytes = 1_000_000;
  collect();
  const before = process.memoryUsage().heapUsed;
  for (let block = 1; block <= 50; block++) {
    // The text is flat, as from the network, and the message is a slice of it.
    const request = Buffer.alloc(requestBytes, 'a').toString();
    const chunk = { topic: 1, block, ordinal: block, bytesBefore: 0, time: 1 };
    const records = [{ sequence: block, messageJson: request.slice(100, 160) }];
    await store.commit({
      state: {
        epoch: 'e',
        head: block,
        time: 1,
        trustedTime: 1,
        clockSteps: [],
        revocations: [],
        topicNumber: 1,
        deletions: noDeletions,
      },
      blocks: [{ first: block, time: 1, runs: [{ topic: 1, count: 1 }] }],
      chunks: [{ ...chunk, records }],
      ids: [],
      topics: [],
      removedTopics: [],
      removedChunks: [],
      removedBlocks: [],
      removedIds: [],
    });
  }
  collect();
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(10 * requestBytes);
  expect(store.chunk(1, 50)?.records).toEqual([{ sequence: 50, messageJson: 'a'.repeat(60) }]);
});
