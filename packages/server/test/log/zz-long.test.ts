import { topicLogContract } from '../contracts/topic-log.contract.ts';
import { openMemoryLog } from './open-local-log.ts';
topicLogContract('A local log in memory', openMemoryLog, { runs: 1200 });
