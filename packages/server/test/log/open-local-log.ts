import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { vi } from 'vitest';
import { openLmdbStore } from '../../src/log/store/lmdb/lmdb-store.ts';
import { LocalTopicLog, type LocalTopicLogOptions } from '../../src/log/local/local-topic-log.ts';
import { MemoryStore } from '../../src/log/store/memory-store.ts';
import type { Store } from '../../src/log/store/store.ts';
import { Invariants } from '../../src/observability/invariants.ts';
import { Rules } from '../../src/rules/rule.ts';
import type { LogOptions, LogUnderTest } from '../contracts/log-under-test.ts';

const startTime = 1_000_000;

/** Fails the test that breaks an invariant. */
export function failOn(fields: object, message: string): never {
  throw new Error(`${message} ${JSON.stringify(fields)}`);
}

export interface LocalLogUnderTest extends LogUnderTest {
  readonly log: LocalTopicLog;
  /** The failures in the background. */
  readonly failures: readonly unknown[];
}

/** Opens a log over a store. Its clock stands still, and its sweep waits for `advance`. */
export function openOver(
  store: Store,
  { rules, fallback, ...options }: LogOptions,
  more: Partial<LocalTopicLogOptions> = {},
  from = startTime,
): LocalLogUnderTest {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  let now = from;
  const failures: unknown[] = [];
  const log = new LocalTopicLog({
    store,
    rules: new Rules(rules, fallback),
    memoryBytesMax: Infinity,
    isInUse: () => false,
    unusedPerSubjectMax: Infinity,
    newEpoch: 'epoch',
    now: () => now,
    invariants: new Invariants({ warn: failOn, error: failOn }),
    onClockEvent: () => {},
    onWritable: () => {},
    onFailure: (error) => failures.push(error),
    ...options,
    ...more,
  });
  return {
    log,
    level: store.level,
    startTime,
    failures,
    advance: async (ms) => {
      now += ms;
      vi.advanceTimersByTime(1_000);
      // A commit begins with what retention has found.
      await log.append([]);
    },
    close: () => log.close(),
  };
}

export function openMemoryLog(options: LogOptions): Promise<LogUnderTest> {
  return Promise.resolve(openOver(new MemoryStore(), options));
}

export async function openLmdbLog(options: LogOptions): Promise<LogUnderTest> {
  const directory = await mkdtemp(join(tmpdir(), 'fanfare-log-'));
  let passed = 0;
  let under = openOver(await openLmdbStore(directory), options);
  const { log, level } = under;
  return {
    log,
    level,
    startTime,
    advance: (ms) => {
      passed += ms;
      return under.advance(ms);
    },
    reopen: async () => {
      await under.close();
      under = openOver(await openLmdbStore(directory), options, {}, startTime + passed);
      await under.advance(0);
      return under.log;
    },
    close: async () => {
      await under.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
