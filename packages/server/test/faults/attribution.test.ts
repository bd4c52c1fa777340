import { describe, expect, it } from 'vitest';
import { subscriptionsOf, type ClientEvent } from './attribution.ts';
import { judge } from './oracle.ts';
import { isOf } from './place.ts';

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
    offset: `e.${n}`,
    topic,
    content: `${n}`,
    time: n,
    ...(replay !== undefined && { replay }),
  });
  const contents = (events: readonly ClientEvent[]): Record<string, string[]> =>
    Object.fromEntries(
      subscriptionsOf('c', events, true).subscriptions.map((each) => [
        each.interest,
        each.events.flatMap((event) => (event.kind === 'message' ? [event.content] : [])),
      ]),
    );

  it('deliveries of one connection are attributed to its subscriptions by `replay`, and live ones to all that match', () => {
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

  it('a delivery after the end of its subscription is attributed to no subscription', () => {
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
    expect(judge({ publishes: [], kept: [], subscriptions: [], strays }).counts.misstated).toBe(2);
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
  ])('a subscription to %s matches %s: %s', (interest, topic, is) => {
    expect(isOf(interest, topic)).toBe(is);
  });
});
