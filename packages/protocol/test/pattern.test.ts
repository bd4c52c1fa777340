import {
  covers,
  isPattern,
  matches,
  overlaps,
  parseInterest,
  parseTopic,
  type Topic,
} from '@fanfare/protocol';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

describe('patterns', () => {
  it.each([
    ['*', ['a', '/x'.slice(1)], ['a/b', 'a/']],
    ['**', ['a', 'a/b', '/', 'a//b'], []],
    ['a/*', ['a/b', 'a/'], ['a', 'a/b/c', 'b/b', 'ab']],
    ['a/**', ['a', 'a/b', 'a/b/c', 'a/'], ['b', 'ab', 'b/a']],
    ['*/b', ['a/b', '/b'], ['a/b/c', 'b', 'a/c']],
    ['*/**', ['a', 'a/b', '/'], []],
    ['a/*/c/**', ['a/b/c', 'a/b/c/d/e', 'a//c'], ['a/c', 'a/b/d']],
    ['/*', ['/a', '/'], ['a', '/a/b']],
    ['a*', [], ['ab', 'a']],
  ])('%s stands for %j and not for %j', (pattern, those, others) => {
    const interest = parseInterest(pattern);
    expect(those.map((topic) => matches(interest, parseTopic(topic)))).toEqual(those.map(() => true));
    expect(others.map((topic) => matches(interest, parseTopic(topic)))).toEqual(others.map(() => false));
  });

  it('a name is a pattern only if a whole segment is a wildcard', () => {
    const patterns = ['*', '**', 'a/*', '*/a', 'a/*/b', 'a/**'].map((name) => isPattern(parseInterest(name)));
    const topics = ['a', 'a*', '*a/b', 'a/b**', '***', '/'].map((name) => isPattern(parseInterest(name)));
    expect([patterns, topics]).toEqual([patterns.map(() => true), topics.map(() => false)]);
  });

  it.each(['**/a', 'a/**/b', '**/**', '', '$x', 'a\n', 'a'.repeat(256)])(
    'parseInterest refuses %j',
    (name) => {
      expect(() => parseInterest(name)).toThrow(
        expect.objectContaining({ code: 'topic_name_invalid' }) as Error,
      );
    },
  );

  it('a pattern matches the same topics as a plain recursive definition', () => {
    const segment: fc.Arbitrary<string> = fc.constantFrom('a', 'b', '');
    const topic = fc.array(segment, { minLength: 1, maxLength: 5 });
    const wanted = fc
      .tuple(fc.array(fc.oneof(segment, fc.constant('*')), { maxLength: 4 }), fc.boolean())
      .map(([segments, isOpen]) => (isOpen ? segments.concat('**') : segments))
      .filter((segments) => segments.join('/') !== '');
    const reference = (pattern: readonly string[], segments: readonly string[]): boolean => {
      const [first, ...rest] = pattern;
      if (first === undefined) return segments.length === 0;
      if (first === '**') return true;
      return (
        segments.length > 0 && (first === '*' || first === segments[0]) && reference(rest, segments.slice(1))
      );
    };
    fc.assert(
      fc.property(wanted, topic, (pattern, segments) => {
        const name = segments.join('/');
        fc.pre(name !== '');
        // Joined, an empty list of segments is one empty segment.
        const split = pattern.join('/').split('/');
        expect(matches(parseInterest(pattern.join('/')), name as Topic)).toBe(
          reference(split, name.split('/')),
        );
      }),
      { numRuns: 2_000 },
    );
  });

  it('covers and overlaps agree with a comparison segment by segment', () => {
    const pattern = fc
      .tuple(
        fc.array(fc.constantFrom<string>('a', 'b', 'ab', '', '*', '**a', 'a*'), { maxLength: 4 }),
        fc.boolean(),
      )
      .map(([segments, isOpen]) => segments.concat(isOpen ? '**' : []).join('/'))
      .filter((name) => name !== '');
    const partsOf = (name: string): { segments: string[]; isOpen: boolean } => {
      const segments = name.split('/');
      const isOpen = segments.at(-1) === '**';
      return { segments: isOpen ? segments.slice(0, -1) : segments, isOpen };
    };
    fc.assert(
      fc.property(pattern, pattern, (one, other) => {
        const [a, b] = [partsOf(one), partsOf(other)];
        const [length, otherLength] = [a.segments.length, b.segments.length];
        const isCovered =
          (a.isOpen ? otherLength >= length : !b.isOpen && otherLength === length) &&
          a.segments.every((segment, at) => segment === '*' || segment === b.segments[at]);
        const isCommon =
          (a.isOpen || length >= otherLength) &&
          (b.isOpen || otherLength >= length) &&
          a.segments.every((segment, at) =>
            [segment, b.segments[at]].some((name) => name === '*')
              ? true
              : (b.segments[at] ?? segment) === segment,
          );
        const [first, second] = [parseInterest(one), parseInterest(other)];
        expect([covers(first, second), overlaps(first, second)]).toEqual([isCovered, isCommon]);
      }),
      { numRuns: 5_000 },
    );
  });

  it('the time to match a pattern grows only with its length', () => {
    const pattern = parseInterest(`${'*/'.repeat(126)}**`);
    const topic = parseTopic('/'.repeat(254));
    expect(matches(pattern, topic)).toBe(true);
  });
});
