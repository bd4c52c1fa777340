import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { judgePublishers, secondFrom } from '../src/adapters/judge-publishers.ts';
import { isFlawless, judge } from '../src/continuity/judge.ts';

describe('the judge', () => {
  const all = [0, 1, 2, 3, 4];

  it.each([
    ['a message that is missing', [0, 1, 3, 4], { delivered: 4 }],
    ['a message that came twice', [0, 1, 2, 1, 3, 4], { duplicates: 1 }],
    ['a message that came too late', [0, 2, 1, 3, 4], { reorders: 1 }],
    ['a message that was never published', [0, 1, 2, 3, 4, 5], { phantoms: 1 }],
    ['a number that is not the number of a message', [0, 1, 2, 3, 4, Number.NaN], { phantoms: 1 }],
  ])('the judge detects %s', (_what, numbers, expected) => {
    const verdict = judge([all, numbers], 5);
    expect(verdict).toEqual({
      due: 10,
      delivered: 10,
      duplicates: 0,
      reorders: 0,
      phantoms: 0,
      ...('delivered' in expected ? { delivered: 9 } : expected),
    });
    expect(isFlawless(verdict)).toBe(false);
  });

  it('the judge finds nothing only if each message came once and in order', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -1, max: 6 }), { maxLength: 8 }), (numbers) => {
        const isRight = numbers.length === 5 && numbers.every((number, at) => number === at);
        expect(isFlawless(judge([all, numbers], 5))).toBe(isRight);
      }),
      { examples: [[all]] },
    );
  });
});

describe('the judge of two publishers', () => {
  const all = [0, secondFrom, 1, secondFrom + 1, 2];

  it('the judge of two publishers judges the messages of each by themselves, in any order of the two', () => {
    for (const numbers of [all, [secondFrom, secondFrom + 1, 0, 1, 2]]) {
      const verdicts = judgePublishers([numbers], [3, 2]);
      expect(verdicts.map(({ due }) => due)).toEqual([3, 2]);
      expect(verdicts.map(isFlawless)).toEqual([true, true]);
    }
  });

  it.each([
    ['a missing message of the first', [0, secondFrom, secondFrom + 1, 2], [{ delivered: 2 }, {}]],
    ['a missing message of the second', [0, 1, secondFrom + 1, 2], [{}, { delivered: 1 }]],
    ['a message of the second that came twice', [...all, secondFrom], [{}, { duplicates: 1 }]],
    [
      'a message of the second that came too late',
      [secondFrom + 1, ...all.filter((number) => number !== secondFrom + 1)],
      [{}, { reorders: 1 }],
    ],
    ['a number that is not the number of a message', [...all, Number.NaN], [{ phantoms: 1 }, {}]],
  ])('the judge of two publishers detects %s', (_what, numbers, expected) => {
    const none = { duplicates: 0, reorders: 0, phantoms: 0 };
    expect(judgePublishers([numbers], [3, 2])).toEqual([
      { due: 3, delivered: 3, ...none, ...expected[0] },
      { due: 2, delivered: 2, ...none, ...expected[1] },
    ]);
  });
});
