import { FanfareError } from '@fanfare/protocol';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { addressKey } from '../../src/limits/address-key.ts';
import { ConnectionCounts } from '../../src/limits/connection-counts.ts';
import { RateLimits, type RateSettings, type Source } from '../../src/limits/rate-limits.ts';
import { heapBytes } from '../heap.ts';

class Clock {
  ms = 1_000_000;
}

function limited(publish: RateSettings, clock = new Clock()): { limits: RateLimits; clock: Clock } {
  return { limits: new RateLimits({ publish, subscribe: {}, monotonicMs: () => clock.ms }), clock };
}

/** Undefined if the publish was admitted, otherwise the milliseconds to wait before a retry. */
function wait(limits: RateLimits, source: Source, count = 1): number | undefined {
  return told(() => limits.takePublish(source, count));
}

function told(ask: () => void): number | undefined {
  try {
    ask();
    return undefined;
  } catch (error) {
    if (!(error instanceof FanfareError) || error.code !== 'rate_limited') throw error;
    return error.retryAfterMs;
  }
}

it('a rate limit allows the tokens of one second at once, then one by one, and says when to retry', () => {
  const { limits, clock } = limited({ address: 10 });
  for (let at = 0; at < 10; at++) expect(wait(limits, { address: 'a' })).toBeUndefined();
  expect(wait(limits, { address: 'a' })).toBe(100);
  clock.ms += 99;
  expect(wait(limits, { address: 'a' })).toBe(1);
  clock.ms += 1;
  expect(wait(limits, { address: 'a' })).toBeUndefined();
  expect(wait(limits, { address: 'a' })).toBe(100);
  expect(wait(limits, { address: 'b' })).toBeUndefined();
});

it('a rate limit takes nothing from one bucket when another one refuses', () => {
  const { limits } = limited({ connection: 5, subject: 1, address: 100 });
  const connection = {};
  expect(wait(limits, { connection, subject: 's' })).toBeUndefined();
  for (let at = 0; at < 10; at++) expect(wait(limits, { connection, subject: 's' })).toBe(1_000);
  for (let at = 0; at < 4; at++) expect(wait(limits, { connection })).toBeUndefined();
  expect(wait(limits, { connection })).toBe(200);
});

it('a rate limit allows a batch larger than its bucket, and then refills for longer', () => {
  const { limits, clock } = limited({ connection: 10 });
  const connection = {};
  expect(wait(limits, { connection })).toBeUndefined();
  expect(wait(limits, { connection }, 50)).toBe(100);
  clock.ms += 100;
  expect(wait(limits, { connection }, 50)).toBeUndefined();
  expect(wait(limits, { connection })).toBe(4_100);
});

it('a rate limit says when a batch can be sent before the size of the batch is known', () => {
  for (const count of [1, 9, 10, 5_000]) {
    const { limits, clock } = limited({ connection: 10 });
    const connection = {};
    expect(told(() => limits.checkPublish({ connection }))).toBeUndefined();
    expect(wait(limits, { connection }, 30)).toBeUndefined();
    clock.ms += told(() => limits.checkPublish({ connection })) ?? 0;
    expect(wait(limits, { connection }, count)).toBeUndefined();
  }
});

it('rates are not limited without a setting, nor for an unknown source', () => {
  expect(wait(limited({}).limits, { address: 'a' }, 1e9)).toBeUndefined();
  const { limits } = limited({ connection: 1, subject: 1, address: 1 });
  for (let at = 0; at < 10; at++) expect(wait(limits, {})).toBeUndefined();
});

it('a rate limit never allows more than the rate plus one second of it', () => {
  const step = fc.record({ afterMs: fc.nat(2_000), count: fc.integer({ min: 1, max: 20 }) });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 20 }), fc.array(step, { maxLength: 60 }), (rate, steps) => {
      const { limits, clock } = limited({ address: rate });
      const begin = clock.ms;
      let taken = 0;
      for (const { afterMs, count } of steps) {
        clock.ms += afterMs;
        const allowed = rate * (1 + (clock.ms - begin) / 1_000);
        const retryAfterMs = wait(limits, { address: 'a' }, count);
        if (retryAfterMs === undefined) {
          // A batch that is larger than the bucket is admitted as a whole.
          expect(taken + Math.min(count, rate)).toBeLessThanOrEqual(allowed + 1e-6);
          taken += count;
        } else {
          // A client that waits as long as the refusal says is admitted.
          const before = clock.ms;
          clock.ms += retryAfterMs - 2;
          if (retryAfterMs > 2) expect(wait(limits, { address: 'a' }, count)).toBeDefined();
          clock.ms = before;
        }
      }
    }),
  );
});

it('the rate limits remember a bounded number of addresses: the most recent ones', () => {
  const { limits } = limited({ address: 1 });
  const come = (from: number, to: number): void => {
    for (let at = from; at < to; at++)
      wait(limits, { address: `10.${at >> 16}.${(at >> 8) & 255}.${at & 255}` });
  };
  come(0, 200_000);
  const before = heapBytes();
  come(200_000, 1_200_000);
  expect(heapBytes() - before).toBeLessThan(20_000_000);
  expect(wait(limits, { address: '10.18.79.127' })).toBe(1_000);
});

it.each([
  ['127.0.0.1', '127.0.0.1'],
  ['::ffff:10.1.2.3', '10.1.2.3'],
  ['::1', '0:0:0:0::/64'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:0DB8:0001:0002::', '2001:db8:1:2::/64'],
  ['2001:db8::6', '2001:db8:0:0::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ['what is none', 'what is none'],
])('the rate limits treat %s as %s', (address, key) => {
  expect(addressKey(address)).toBe(key);
});

it('the connection counts cover all connections and each address, and forget closed connections', () => {
  const counts = new ConnectionCounts({ connectionsMax: 3, connectionsPerAddressMax: 2 });
  const from = ['2001:db8::1', '2001:db8::2', '10.0.0.1'];
  for (const address of from) {
    expect(counts.refusal(address)).toBeUndefined();
    counts.opened(address);
  }
  expect(counts.refusal('10.0.0.2')).toContain('Limit of 3 connections reached');
  counts.closed('10.0.0.1');
  expect(counts.refusal('2001:db8::3')).toContain('Limit of 2 connections per address reached');
  expect(counts.refusal('10.0.0.2')).toBeUndefined();
  counts.closed('2001:db8::1');
  expect(counts.refusal('2001:db8::3')).toBeUndefined();
});
