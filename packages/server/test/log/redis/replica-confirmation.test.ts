import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { Topic } from '@fanfare/protocol';
import { AppendPipeline } from '../../../src/log/redis/append-pipeline.ts';
import type { AppendReply } from '../../../src/log/redis/library.ts';
import { ConnectionLostError, RefusedForNowError } from '../../../src/log/redis/redis-errors.ts';
import { ReplicaConfirmation } from '../../../src/log/redis/replica-confirmation.ts';
import { LogUncertainError } from '../../../src/log/topic-log.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }));

afterEach(() => void vi.useRealTimers());

const outcome = { kind: 'appended', epoch: 'epoch', sequence: 1, time: 1, stored: 'replicated' } as const;

/** Appends a message, which Redis carries out. @returns what the publisher is told */
async function resultIf(wait: () => Promise<number>): Promise<unknown> {
  const confirmation = new ReplicaConfirmation(1, wait);
  const pipeline = new AppendPipeline({
    library: { append: async (): Promise<AppendReply> => ({ kind: 'done', outcomes: [outcome] }) },
    node: 'one',
    seen: () => ({ epoch: 'epoch', sequence: 0 }),
    clock: () => performance.now(),
    learnEpoch: async () => {},
    confirm: () => confirmation.confirm(),
  });
  pipeline.resume();
  const record = { topic: 'news' as Topic, messageJson: '1', createsTopic: true };
  const result = pipeline.append([record]).catch((error: unknown) => error);
  await vi.advanceTimersByTimeAsync(2_000);
  return result;
}

it('a batch that a replica has is acknowledged', async () => {
  expect(await resultIf(async () => 1)).toEqual([outcome]);
});

it('a batch that no replica confirms is uncertain', async () => {
  expect(await resultIf(async () => 0)).toBeInstanceOf(LogUncertainError);
});

it('a batch that Redis has carried out is uncertain if the connection was lost before replicas were asked', async () => {
  const lost = new ConnectionLostError('The connection was lost.', { isAnswerLost: false });
  expect(await resultIf(() => Promise.reject(lost))).toBeInstanceOf(LogUncertainError);
});

it('a batch that Redis has carried out is uncertain if Redis refuses to ask replicas', async () => {
  const busy = new RefusedForNowError({ reason: 'Redis is busy.', advice: '' }, undefined);
  expect(await resultIf(() => Promise.reject(busy))).toBeInstanceOf(LogUncertainError);
});
