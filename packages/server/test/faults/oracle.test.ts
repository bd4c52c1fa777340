import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { subscriptionsOf, type ClientEvent } from './attribution.ts';
import {
  faultKinds,
  type FaultKind,
  type History,
  type Kept,
  type Publish,
  type SubscriptionEvent,
} from './history.ts';
import { goodHistory } from './model.ts';
import { mutations } from './mutations.ts';
import { judge } from './oracle.ts';
import { isOf } from './place.ts';
import { Random } from './random.ts';

/** The kinds of fault that are found, each once. */
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
  const form = 'envelope' as const;
  return { subscriptions: [{ client: 'c', interest: 'news', form, events, isComplete: true }] };
}

describe('the oracle of the fault tests', () => {
  it('finds nothing in a good history, and each kind of damage that is done to it', () => {
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

  it('can do each kind of damage often', () => {
    const rarelyDone = Object.entries(mutations).filter(([, [, mutate]]) => {
      const seeds = Array.from({ length: 100 }, (_, seed) => seed);
      return seeds.filter((seed) => mutate(goodHistory(new Random(seed)), new Random(seed + 1))).length < 15;
    });
    expect(rarelyDone.map(([name]) => name)).toEqual([]);
  });

  it('takes what is unknown as done or not done', () => {
    const unknown: Publish = { ...sent(2), outcome: { kind: 'unknown' } };
    expect(found({ publishes: [sent(1), unknown], kept: [kept(1), kept(2)] })).toEqual([]);
    expect(found({ publishes: [sent(1), unknown], kept: [kept(1)] })).toEqual([]);
    const twice = [kept(1), kept(2), { ...kept(3), content: '2' }];
    expect(found({ publishes: [sent(1), unknown], kept: twice })).toEqual(['duplicate']);
  });

  it('lets a refused publish succeed when it is sent again', () => {
    const refused: Publish = { ...sent(1), sent: 0, outcome: { kind: 'fail', code: 'draining' } };
    expect(found({ publishes: [refused], kept: [] })).toEqual([]);
    expect(found({ publishes: [refused], kept: [kept(1)] })).toEqual(['phantom']);
    expect(found({ publishes: [refused, sent(1)], kept: [kept(1)] })).toEqual([]);
  });

  it('keeps what a connection carried in its order, though nothing was answered before the next was sent', () => {
    const carried = [1, 2].map((n) => ({
      ...sent(n),
      publisher: 'p',
      stream: 's',
      sent: n,
      answered: 10 + n,
    }));
    const [first, second] = carried as [Publish, Publish];
    expect(found({ publishes: carried, kept: [kept(1), kept(2)] })).toEqual([]);
    const exchanged = [
      { ...first, sent: 2 },
      { ...second, sent: 1 },
    ];
    expect(found({ publishes: exchanged, kept: [kept(1), kept(2)] })).toEqual(['reordered']);
    const overTwo = exchanged.map((each) => ({ ...each, stream: `s ${each.content}` }));
    expect(found({ publishes: overTwo, kept: [kept(1), kept(2)] })).toEqual([]);
  });

  it('lets retention drop the oldest messages of a topic, down to as many as it keeps', () => {
    const { publishes } = one23;
    expect(found({ publishes, kept: [kept(2), kept(3)], keep: { news: 2 } })).toEqual([]);
    expect(found({ publishes, kept: [kept(3)], keep: { news: 2 } })).toEqual(['lost']);
    expect(found({ publishes, kept: [kept(1), kept(3)], keep: { news: 2 } })).toEqual(['lost']);
    expect(found({ publishes, kept: [kept(2), kept(3)], keep: { other: 2 } })).toEqual(['lost']);
  });

  it('wants to see told what retention dropped before it was delivered', () => {
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

  it('knows what a subscription that ended early was not due', () => {
    const early = subscribers(subscribed('new'), delivery(1)).subscriptions.map((each) => ({
      ...each,
      isComplete: false,
    }));
    expect(found({ ...one23, subscriptions: early })).toEqual([]);
    expect(found({ ...one23, ...subscribers(subscribed('new'), delivery(1)) })).toEqual(['silentGap']);
    const toldToBeFurther = [
      subscribed('new'),
      { kind: 'state', state: 'catching_up', offset: 'e.2' } as const,
      delivery(3, 'news'),
    ];
    expect(found({ ...one23, ...subscribers(...toldToBeFurther) })).toEqual(['silentGap']);
  });

  it('wants a resumed subscription to go on, not to begin anew, and to say whether it recovered', () => {
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

  it('judges plain deliveries, which have no offsets, by their content', () => {
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

  it('finds what was delivered in neither run, when a subscription resumes from where it never was', () => {
    const skipping = subscribers(subscribed('new'), delivery(1), subscribed('e.3', true));
    expect(found({ ...one23, ...skipping })).toEqual(['silentGap']);
  });
});

describe('the subscriptions of one connection', () => {
  const envelope = 'envelope' as const;
  const opened = (interest: string, state: 'live' | 'catching_up'): ClientEvent => ({
    kind: 'subscribed',
    interest,
    form: envelope,
    from: 'new',
    offset: 'e.0',
    state,
  });
  const message = (n: number, topic: string, replay?: string): ClientEvent => ({
    kind: 'message',
    form: envelope,
    ...kept(n, topic),
    ...(replay !== undefined && { replay }),
  });
  const contents = (events: readonly ClientEvent[]): Record<string, string[]> =>
    Object.fromEntries(
      subscriptionsOf('c', events, true).subscriptions.map((each) => [
        each.interest,
        each.events.flatMap((event) => (event.kind === 'message' ? [event.content] : [])),
      ]),
    );

  it('are told apart by what is replayed to whom, and share what is live', () => {
    const events = [
      opened('a/*', 'live'),
      opened('a/b', 'catching_up'),
      message(1, 'a/b', 'a/b'),
      message(2, 'a/b'),
      message(2, 'a/b', 'a/b'),
      { kind: 'state', interest: 'a/b', state: 'live', offset: 'e.2' } as const,
      message(3, 'a/b'),
      message(4, 'a/c'),
    ];
    expect(contents(events)).toEqual({ 'a/*': ['2', '3', '4'], 'a/b': ['1', '2', '3'] });
  });

  it('are due nothing once they ended, and what comes all the same is nobody’s', () => {
    const events = [
      opened('a', 'live'),
      message(1, 'a'),
      { kind: 'unsubscribed', interest: 'a' } as const,
      message(2, 'a'),
      opened('a', 'live'),
      message(3, 'a'),
      { kind: 'disconnected' } as const,
      message(4, 'a'),
    ];
    const { strays } = subscriptionsOf('c', events, true);
    expect(strays.map(({ delivery: { content } }) => content)).toEqual(['2', '4']);
    expect(contents(events)).toEqual({ a: ['1', '3'] });
    expect(found({ publishes: [2, 4].map((n) => sent(n, 'a')), strays })).toContain('misstated');
  });

  it.each([
    ['a', 'a', true],
    ['a', 'a/b', false],
    ['*', 'a', true],
    ['*', 'a/b', false],
    ['**', 'a/b', true],
    ['a/**', 'a', true],
    ['a/**', 'a/b/c', true],
    ['a/**', 'ab', false],
    ['a/*', 'a/', true],
    ['*/b', '/b', true],
    ['a.c', 'abc', false],
    ['a/*/c', 'a/b/c', true],
    ['a/*/c', 'a/b/b/c', false],
  ])('to %s are due %s: %s', (interest, topic, is) => {
    expect(isOf(interest, topic)).toBe(is);
  });
});
