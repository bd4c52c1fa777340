import { describe, expect, it } from 'vitest';
import { errorOfReply } from '../../../src/log/redis/redis-errors.ts';
import { LogFullError, LogUnreachableError } from '../../../src/log/topic-log.ts';

const host = { host: '127.0.0.1', port: 6379 };

describe('an error reply of Redis', () => {
  // Clients are told that the log cannot be reached, and that the same request can succeed later.
  it.each([
    'BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.',
    'NOREPLICAS Not enough good replicas to write.',
    'MISCONF Redis is configured to save RDB snapshots, but it is currently unable to persist to disk.',
    'LOADING Redis is loading the dataset in memory',
    "READONLY You can't write against a read only replica.",
  ])('an error reply that can pass says that the same call can succeed later: %s', (reply) => {
    expect(errorOfReply(new Error(reply), host)).toBeInstanceOf(LogUnreachableError);
  });

  it('an error reply about a full memory does not say that Redis cannot be reached', () => {
    const reply = "OOM command not allowed when used memory > 'maxmemory'.";
    expect(errorOfReply(new Error(reply), host)).toBeInstanceOf(LogFullError);
  });
});
