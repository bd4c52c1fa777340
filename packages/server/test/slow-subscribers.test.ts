import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nextEvent, sleep, until } from '../../../test/waits.ts';
import { connectClient, publish, startServer } from './harness.ts';
import { Ledger, tcpOf } from './slow-reader.ts';

const large = 'x'.repeat(50_000);

/** Nothing can be caught up on. */
const rules = [{ match: '**', keep: 'none' }] as const;

describe('slow subscribers of topics that keep nothing', () => {
  it('a slow subscriber of a topic that keeps nothing gets the number of missed messages before the next delivery', async () => {
    const { url } = await startServer({ rules, outboxBytesMax: 500_000 });
    const [publisher, slow, healthy] = [
      await connectClient(url),
      await connectClient(url),
      await connectClient(url),
    ];
    const ledgers = [new Ledger(slow, 'news', 'plain'), new Ledger(slow, 'news', 'envelope')];
    const other = new Ledger(slow, 'other', 'plain');
    const complete = new Ledger(healthy, 'news', 'plain');
    await slow.emitWithAck('subscribe', { topic: 'news' });
    await slow.emitWithAck('subscribe', { topic: 'news', envelope: true });
    await slow.emitWithAck('subscribe', { topic: 'other' });
    await healthy.emitWithAck('subscribe', { topic: 'news' });

    tcpOf(slow).pause();
    let number = 0;
    for (const at of Array.from({ length: 200 }).keys()) {
      await publisher.emitWithAck('publish', { topic: 'news', message: [at, large] });
      number = at + 1;
    }
    // Over 20 MB were published: more than a kernel buffers for a connection that is not read.
    const gap = nextEvent(slow, 'gap', 'the slow client is told what it misses');
    tcpOf(slow).resume();
    await gap;
    await until(
      'the slow client is told of all messages',
      () => ledgers.every(({ count }) => count >= number),
      {
        step: () => publisher.emitWithAck('unsubscribe', { topic: '-' }),
        soFar: () => ledgers.map(({ count }) => count),
      },
    );
    await publisher.emitWithAck('publish', { topic: 'news', message: [number++, ''] });
    await publisher.emitWithAck('publish', { topic: 'other', message: [0, ''] });
    await Promise.all([slow, healthy].map((client) => client.emitWithAck('unsubscribe', { topic: '-' })));

    expect([...ledgers, other, complete].flatMap(({ faults }) => faults)).toEqual([]);
    expect([...ledgers, other, complete].map(({ count }) => count)).toEqual([201, 201, 1, 201]);
    expect(ledgers.map(({ dropped }) => dropped > 0)).toEqual([true, true]);
    expect([other.dropped, complete.dropped]).toEqual([0, 0]);
  });

  it('a slow subscriber of topics that keep nothing is notified of exactly what it missed, whenever it reads or resubscribes', async () => {
    const step = fc.constantFrom(
      'publish',
      'publish',
      'publish',
      'publish',
      'pause',
      'resume',
      'renew',
      'settle',
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 60 }), async (steps) => {
        const { url } = await startServer({ rules, outboxBytesMax: 200_000 });
        const [publisher, slow] = [await connectClient(url), await connectClient(url)];
        const ledgers = [new Ledger(slow, 'news', 'plain'), new Ledger(slow, 'news', 'envelope')];
        const subscribe = async (): Promise<unknown> =>
          Promise.all(
            [false, true].map((envelope) => slow.emitWithAck('subscribe', { topic: 'news', envelope })),
          );
        await subscribe();
        let number = 0;
        for (const each of steps) {
          if (each === 'pause' || each === 'resume') tcpOf(slow)[each]();
          else if (each === 'publish') {
            // Several at once are one commit of the log, and one turn of the fan-out.
            const batch = Array.from({ length: 8 }, () => ({
              topic: 'news',
              message: [number++, large.repeat(2)],
            }));
            await Promise.all(batch.map((request) => publisher.emitWithAck('publish', request)));
          } else {
            tcpOf(slow).resume();
            await slow.emitWithAck('unsubscribe', each === 'renew' ? { topic: 'news' } : { topic: '-' });
            if (each === 'settle') continue;
            // Subscriptions that have ended have delivered or reported every message.
            expect(ledgers.map(({ count }) => count)).toEqual([number, number]);
            await subscribe();
          }
        }
        tcpOf(slow).resume();
        const isAllTold = (): boolean => ledgers.every(({ count }) => count >= number);
        await until('the slow client is told of all messages', isAllTold, {
          step: () => slow.emitWithAck('unsubscribe', { topic: '-' }),
          soFar: () => ledgers.map(({ count }) => count),
        });
        expect(ledgers.flatMap(({ faults }) => faults)).toEqual([]);
        expect(ledgers.map(({ count }) => count)).toEqual([number, number]);
      }),
      { numRuns: 15 },
    );
  });

  it('a subscriber that reads nothing at all is disconnected after the stall limit', async () => {
    const { url } = await startServer({ rules, outboxBytesMax: 500_000, stallTimeoutMs: 1_000 });
    const slow = await connectClient(url);
    await slow.emitWithAck('subscribe', { topic: 'news' });
    tcpOf(slow).pause();
    const ended = nextEvent(tcpOf(slow), 'close', 'the stalled client is disconnected');
    for (let number = 0; number < 200; number++) {
      expect((await publish(url, { topic: 'news', message: [number, large] })).status).toBe(200);
    }
    // Time itself is the test: nothing tells a client that does not read that the stall limit has passed.
    await sleep(1_500);
    tcpOf(slow).resume();
    await ended;
  });
});
