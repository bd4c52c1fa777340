import { topicLogContract } from '../contracts/topic-log.contract.ts';
import { openLmdbLog, openMemoryLog } from './open-local-log.ts';

topicLogContract('A local log in memory', openMemoryLog, { runs: 60 });
topicLogContract('A local log on disk', openLmdbLog, { runs: 8 });
