import { isPattern, matches, parseInterest, parseTopic, type Interest } from '@fanfare/protocol';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Audience } from '../../src/subscriptions/audience.ts';
import { SubscriptionIndex } from '../../src/subscriptions/subscription-index.ts';

describe('the index of subscriptions', () => {
  it('the index finds for a topic what a walk over all subscriptions would find', () => {
    const segment = fc.constantFrom('a', 'b', '', '*');
    const interest = fc
      .tuple(fc.array(segment, { minLength: 1, maxLength: 4 }), fc.boolean())
      .map(([segments, isOpen]) => [...segments, ...(isOpen ? ['**'] : [])].join('/'))
      .filter((name) => name !== '')
      .map(parseInterest);
    const step = fc.record({ interest, isComing: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const index = new SubscriptionIndex();
        const open: Audience[] = [];
        for (const { interest: wanted, isComing } of steps) {
          if (isComing) open.push(index.open(wanted, 'plain'));
          else {
            const at = open.findIndex((entry) => entry.interest === wanted);
            for (const entry of at < 0 ? [] : open.splice(at, 1)) index.close(entry, 'plain');
          }
          const names = (interests: readonly Interest[]): string[] => [...new Set(interests)].toSorted();
          const all = open.map((entry) => entry.interest);
          for (const name of ['a', 'b', 'a/b', 'a//b', '/', 'a/a/a/b', 'b/b/b/b/b']) {
            const topic = parseTopic(name);
            const expected = names(all.filter((one) => matches(one, topic)));
            expect(names(index.matching(topic).map((entry) => entry.interest))).toEqual(expected);
            expect(index.matching(topic)).toHaveLength(expected.length);
            expect(index.subscribers(topic)).toBe(all.filter((one) => matches(one, topic)).length);
            expect(index.isSubscribed(topic)).toBe(all.some((one) => one === topic));
          }
          expect([...index.interests()].toSorted()).toEqual(names(all));
          expect(index.isSubscribed(wanted)).toBe(all.includes(wanted));
        }
      }),
      { numRuns: 300 },
    );
  });

  it('the index is empty once all subscriptions have ended', () => {
    const index = new SubscriptionIndex();
    const entries = ['a/*', 'a/**', 'a/b', '**', 'a/*'].map((name) =>
      index.open(parseInterest(name), 'plain'),
    );
    expect(new Set(entries).size).toBe(4);
    for (const entry of entries) index.close(entry, 'plain');
    expect(index.matching(parseTopic('a/b'))).toEqual([]);
    expect(entries.filter(({ interest }) => isPattern(interest))).toHaveLength(4);
  });
});
