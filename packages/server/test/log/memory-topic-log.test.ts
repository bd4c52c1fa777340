import { MemoryTopicLog } from '../../src/log/memory-topic-log.ts';
import { topicLogContract } from '../contracts/topic-log.contract.ts';

topicLogContract('MemoryTopicLog', (options) => {
  let now = 1_800_000_000_000;
  return {
    log: new MemoryTopicLog({ now: () => now, epoch: 'epoch', ...options }),
    advance: (ms) => void (now += ms),
  };
});
