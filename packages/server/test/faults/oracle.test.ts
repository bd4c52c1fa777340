import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  faultKinds,
  type FaultKind,
  type History,
  type Kept,
  type Publish,
  type Subscription,
  type SubscriptionEvent,
} from './history.ts';
import { goodHistory } from './model.ts';
import { mutations } from './mutations.ts';
import { judge } from './oracle.ts';
import { Random } from './random.ts';

/** The kinds of faults that the oracle finds, each once. */
function found(history: Partial<History>): FaultKind[] {
  const { counts } = judge({ publishes: [], kept: [], subscriptions: [], ...history });
  return faultKinds.filter((kind) => counts[kind] > 0);
}

/** Message number n of `news` (or another topic) at the place of that number. */
function kept(n: number, topic = 'news'): Kept {
  return { offset: `e.${n}`, topic, content: `${n}`, time: n };
}

function sent(n: number, topic = 'news'): Publish {
  const outcome = { kind: 'ok' as const, offset: `e.${n}`, time: n };
  return { publisher: `p${n}`, topic, content: `${n}`, sent: 2 * n, answered: 2 * n + 1, outcome };
}

function delivery(n: number, replay?: string): SubscriptionEvent {
  return { kind: 'message', ...kept(n), ...(replay !== undefined && { replay }) };
}

function subscribed(from: string, recovered?: boolean): SubscriptionEvent {
  const offset = from === 'new' || from === 'earliest' ? 'e.0' : from;
  return { kind: 'subscribed', from, offset, state: 'live', ...(recovered !== undefined && { recovered }) };
}

const one23 = { publishes: [1, 2, 3].map((n) => sent(n)), kept: [1, 2, 3].map((n) => kept(n)) };

/** Subscribed to `news` while 1, 2 and 3 are published. */
function subscribers(...events: readonly SubscriptionEvent[]): Pick<History, 'subscriptions'> {
  return { subscriptions: [subscriber(events, true)] };
}

function subscriber(events: readonly SubscriptionEvent[], isComplete: boolean): Subscription {
  return { client: 'c', interest: 'news', form: 'envelope', events, isComplete };
}

describe('the oracle of the fault tests', () => {
  it('the oracle of the fault tests finds no fault in a good history, and detects each mutation of it', () => {
    fc.assert(
      fc.property(fc.nat(), (seed) => {
        const history = goodHistory(new Random(seed));
        expect(judge(history).faults).toEqual([]);
        for (const [name, [kind, mutate]] of Object.entries(mutations)) {
          const mutated = mutate(history, new Random(seed + 1));
          if (mutated) expect(found(mutated), name).toContain(kind);
        }
      }),
      { numRuns: 200 },
    );
  });

  it('the mutations for the oracle of the fault tests can each be applied often', () => {
    const rarelyDone = Object.entries(mutations).filter(([, [, mutate]]) => {
      const seeds = Array.from({ length: 100 }, (_, seed) => seed);
      return seeds.filter((seed) => mutate(goodHistory(new Random(seed)), new Random(seed + 1))).length < 15;
    });
    expect(rarelyDone.map(([name]) => name)).toEqual([]);
  });

  it('the oracle of the fault tests accepts an unknown publish as done or as not done', () => {
    const unknown: Publish = { ...sent(2), outcome: { kind: 'unknown' } };
    expect(found({ publishes: [sent(1), unknown], kept: [kept(1), kept(2)] })).toEqual([]);
    expect(found({ publishes: [sent(1), unknown], kept: [kept(1)] })).toEqual([]);
    const twice = [kept(1), kept(2), { ...kept(3), content: '2' }];
    expect(found({ publishes: [sent(1), unknown], kept: twice })).toEqual(['duplicate']);
  });

  it('the oracle of the fault tests accepts that a refused publish succeeds when it is retried', () => {
    const refused: Publish = { ...sent(1), sent: 0, outcome: { kind: 'fail', code: 'draining' } };
    expect(found({ publishes: [refused], kept: [] })).toEqual([]);
    expect(found({ publishes: [refused], kept: [kept(1)] })).toEqual(['phantom']);
    expect(found({ publishes: [refused, sent(1)], kept: [kept(1)] })).toEqual([]);
  });

  it('the oracle of the fault tests requires the order of sending on a connection, even for pipelined publishes', () => {
    const carried = (n: number, sentAt: number, stream = 's'): Publish => ({
      ...sent(n),
      publisher: 'p',
      stream,
      sent: sentAt,
      answered: 10 + n,
    });
    const both = [kept(1), kept(2)];
    expect(found({ publishes: [carried(1, 1), carried(2, 2)], kept: both })).toEqual([]);
    expect(found({ publishes: [carried(1, 2), carried(2, 1)], kept: both })).toEqual(['reordered']);
    const overTwo = [carried(1, 2, 's'), carried(2, 1, 't')];
    expect(found({ publishes: overTwo, kept: both })).toEqual([]);
  });

  it('the oracle of the fault tests accepts that retention drops the oldest messages of a topic, down to its limit', () => {
    const { publishes } = one23;
    expect(found({ publishes, kept: [kept(2), kept(3)], keep: { news: 2 } })).toEqual([]);
    expect(found({ publishes, kept: [kept(3)], keep: { news: 2 } })).toEqual(['lost']);
    expect(found({ publishes, kept: [kept(1), kept(3)], keep: { news: 2 } })).toEqual(['lost']);
    expect(found({ publishes, kept: [kept(2), kept(3)], keep: { other: 2 } })).toEqual(['lost']);
  });

  it('the oracle of the fault tests requires a gap for messages that retention dropped before their delivery', () => {
    const trimmed = { publishes: one23.publishes, kept: [kept(3)], keep: { news: 1 } };
    const gap = { kind: 'gap', topic: 'news', dropped: 1 } as const;
    const start = [subscribed('new'), delivery(1)];
    expect(found({ ...trimmed, ...subscribers(...start, delivery(3)) })).toEqual(['silentGap']);
    expect(found({ ...trimmed, ...subscribers(...start, delivery(3), gap) })).toEqual(['silentGap']);
    expect(found({ ...trimmed, ...subscribers(...start, gap, delivery(3)) })).toEqual([]);
    expect(found({ ...trimmed, ...subscribers(subscribed('new'), gap, delivery(3)) })).toEqual(['silentGap']);
    const resumed = (recovered: boolean): SubscriptionEvent[] => [
      ...start,
      subscribed('e.1', recovered),
      delivery(3),
    ];
    expect(found({ ...trimmed, ...subscribers(...resumed(true)) })).toEqual(['silentGap']);
    const toldAnew: SubscriptionEvent = {
      kind: 'subscribed',
      from: 'e.1',
      offset: 'e.2',
      state: 'live',
      recovered: false,
    };
    expect(found({ ...trimmed, ...subscribers(...start, toldAnew, delivery(3)) })).toEqual([]);
  });

  it('the oracle of the fault tests accepts that a reader from the earliest message misses older ones, but no others', () => {
    const trimmed = { publishes: one23.publishes, keep: { news: 1 } };
    const early = (kind: SubscriptionEvent, ...numbers: number[]): Partial<History> =>
      subscribers(kind, ...numbers.map((n) => delivery(n)));
    const started: SubscriptionEvent[] = [
      subscribed('earliest'),
      { kind: 'subscribed', from: 'f.9', offset: 'e.0', state: 'live', recovered: false },
    ];
    for (const start of started) {
      expect(found({ ...trimmed, kept: [kept(3)], ...early(start, 3) })).toEqual([]);
      expect(found({ ...trimmed, kept: [kept(3)], ...early(start, 1, 3) })).toEqual(['silentGap']);
      expect(found({ ...trimmed, kept: [kept(2), kept(3)], ...early(start, 3) })).toEqual(['silentGap']);
    }
  });

  it('the oracle of the fault tests does not require later messages of a subscription that ended early', () => {
    const early = [subscriber([subscribed('new'), delivery(1)], false)];
    expect(found({ ...one23, subscriptions: early })).toEqual([]);
    expect(found({ ...one23, ...subscribers(subscribed('new'), delivery(1)) })).toEqual(['silentGap']);
    const toldToBeFurther = [
      subscribed('new'),
      { kind: 'state', state: 'catching_up', offset: 'e.2' } as const,
      delivery(3, 'news'),
    ];
    expect(found({ ...one23, ...subscribers(...toldToBeFurther) })).toEqual(['silentGap']);
  });

  it('the oracle of the fault tests requires that a resumed subscription continues, does not repeat, and says whether it recovered', () => {
    const all = [delivery(1), delivery(2), delivery(3)];
    const resumed = subscribers(subscribed('new'), delivery(1), subscribed('e.1', true), ...all.slice(1));
    expect(found({ ...one23, ...resumed })).toEqual([]);
    const anew = subscribers(subscribed('new'), delivery(1), subscribed('e.1', true), ...all);
    expect(found({ ...one23, ...anew })).toEqual(['duplicate']);
    const unsaid = subscribers(subscribed('new'), ...all, subscribed('e.3'));
    expect(found({ ...one23, ...unsaid })).toEqual(['misstated']);
    const otherLog = (offset: string): SubscriptionEvent => ({
      kind: 'subscribed',
      from: 'f.9',
      offset,
      state: 'live',
      recovered: false,
    });
    expect(found({ ...one23, ...subscribers(otherLog('e.0'), ...all) })).toEqual([]);
    expect(found({ ...one23, ...subscribers(otherLog('e.1'), ...all.slice(1)) })).toEqual(['silentGap']);
  });

  it('the oracle of the fault tests judges plain deliveries, which have no offsets, by their content', () => {
    const plain = (...numbers: number[]): Partial<History> => ({
      ...one23,
      subscriptions: [
        {
          client: 'c',
          interest: 'news',
          form: 'plain',
          isComplete: true,
          events: [
            subscribed('new'),
            ...numbers.map((n) => ({ kind: 'message' as const, topic: 'news', content: `${n}` })),
          ],
        },
      ],
    });
    expect(found(plain(1, 2, 3))).toEqual([]);
    expect(found(plain(1, 3))).toEqual(['silentGap']);
    expect(found(plain(2, 1, 3))).toEqual(['reordered']);
    expect(found(plain(1, 2, 3, 3))).toEqual(['duplicate']);
    expect(found(plain(1, 2, 3, 4))).toEqual(['phantom']);
  });

  it('the oracle of the fault tests detects messages that neither run got, when a subscription resumes from a later offset', () => {
    const skipping = subscribers(subscribed('new'), delivery(1), subscribed('e.3', true));
    expect(found({ ...one23, ...skipping })).toEqual(['silentGap']);
  });
});
