import { expect, it, onTestFinished } from 'vitest';
import { Connection, type ConnectionParts } from '../../src/message-path/connection.ts';
import { RateLimits } from '../../src/limits/rate-limits.ts';
import type { Peer } from '../../src/message-path/peer.ts';
import { SubscriptionIndex } from '../../src/subscriptions/subscription-index.ts';
import { anything } from './fake-fan-out.ts';

it('a connection limits the actions that wait for its commands, and runs them in their order', async () => {
  let fail: (error: Error) => void = () => {};
  const place = new Promise<never>((_resolve, reject) => (fail = reject));
  const log = { epoch: 'e', open: () => place, noteUse: () => {} };
  const rates = new RateLimits({ publish: {}, subscribe: {}, monotonicMs: () => 0 });
  const index = new SubscriptionIndex();
  const needed = { log, index, limits: { subscriptionsPerConnectionMax: 1 }, rates, now: () => 1 };
  const parts = needed as unknown as ConnectionParts;
  const connection = new Connection(1, {} as Peer, anything, parts);
  expect(connection.afterCommands(() => 'at once')).toBe('at once');
  const subscribed = connection.subscribe({ topic: '**' });
  const done: number[] = [];
  const waiting = Array.from({ length: 999 }, async (_, at) => connection.afterCommands(() => done.push(at)));
  expect(() => connection.afterCommands(() => 'too many')).toThrow('limit: 1000 per connection');
  expect(done).toEqual([]);
  fail(new Error('no place'));
  await expect(subscribed).rejects.toThrow('no place');
  expect(index.size).toBe(0);
  await Promise.all(waiting);
  expect(done).toEqual(Array.from({ length: 999 }, (_, at) => at));
  expect(connection.afterCommands(() => 'at once')).toBe('at once');
});

it('a connection renews its rights at most once in a turn of the event loop', async () => {
  const parts = { now: () => 1 } as unknown as ConnectionParts;
  const connection = new Connection(1, {} as Peer, anything, parts);
  let turn = 0;
  let ticking = setImmediate(function tick() {
    turn++;
    ticking = setImmediate(tick);
  });
  onTestFinished(() => clearImmediate(ticking));
  const turns = new Set<number>();
  const renew = async (): Promise<void> =>
    connection.renew(async () => {
      turns.add(turn);
      return anything;
    });
  await Promise.all(Array.from({ length: 20 }, renew));
  expect(turns.size).toBe(20);
});
