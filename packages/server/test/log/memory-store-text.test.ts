import { expect, it } from 'vitest';
import { noDeletions } from '../../src/log/local/deletions.ts';
import { MemoryStore } from '../../src/log/store/memory-store.ts';
import { PublishScanner } from '../../src/message-path/publish-scanner.ts';
import { heapBytes } from '../heap.ts';

const requestBytes = 1_000_000;

it('a message in memory does not keep the text of its request', async () => {
  const store = new MemoryStore();
  const before = heapBytes();
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
  expect(heapBytes() - before).toBeLessThan(10 * requestBytes);
  expect(store.chunk(1, 50)?.records).toEqual([{ sequence: 50, messageJson: 'a'.repeat(60) }]);
});

it('a topic and an id do not keep the text of their batch', () => {
  const kept: unknown[] = [];
  const before = heapBytes();
  for (let count = 0; count < 50; count++) {
    const names = `"topic":"a topic with the number ${count}","id":"an id with the number ${count}"`;
    const text = Buffer.from(`{${names},"message":1}\n`.padEnd(requestBytes)).toString();
    const { topic, id } = new PublishScanner(text, true).read(0) ?? {};
    kept.push(topic, id);
  }
  expect(heapBytes() - before).toBeLessThan(10 * requestBytes);
  expect(kept.slice(-2)).toEqual(['a topic with the number 49', 'an id with the number 49']);
});
