import { matches, parseInterest, parseTopic, type Interest, type Topic } from '@fanfare/protocol';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import {
  noDeletions,
  wasDeleted,
  withDeletions,
  type DeletionLimits,
} from '../../src/log/local/deletions.ts';
import type { Deletion, Deletions } from '../../src/log/store/store.ts';

const limits: DeletionLimits = { newestMax: 4, slack: 2, segmentsMax: 3 };

const segment = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'é', 'aa', '');
const rest = fc.constantFrom('', '/', '/1', '/2', '/1/x');
const name = fc.tuple(segment, rest).map((parts) => parts.join(''));
const topic = name.filter((text) => text !== '').map((text) => parseTopic(text));
const interest = fc.oneof(
  topic,
  fc
    .tuple(fc.oneof(segment, fc.constant('*')), fc.constantFrom('/**', '/*', '/1/*'))
    .map((parts) => parseInterest(parts.join(''))),
  fc.constant(parseInterest('**')),
);

/**
 * Deletions, some of them in one commit. A topic that is deleted late may have had its newest message early.
 */
const anyDeletion = fc.record({
  topic,
  sequence: fc.integer({ min: 1, max: 40 }),
  at: fc.integer({ min: 1, max: 40 }),
});
const batches = fc.array(fc.array(anyDeletion, { minLength: 1, maxLength: 9 }), { maxLength: 12 });

function rememberedOf(all: readonly (readonly Deletion[])[], most = limits): Deletions {
  let known = noDeletions;
  for (const some of all) known = withDeletions(known, some, most);
  return known;
}

/** The result with an unlimited memory. */
function wasReallyDeleted(all: readonly Deletion[], wanted: Interest, sequence: number, at: number): boolean {
  return all.some(
    (deletion) => deletion.sequence > sequence && (deletion.at ?? 0) > at && matches(wanted, deletion.topic),
  );
}

function says(known: Deletions, wanted: Interest, sequence: number, at: number): boolean {
  const isWanted = (one: Topic): boolean => matches(wanted, one);
  return wasDeleted(known, wanted, isWanted, (mark) => mark.sequence > sequence && (mark.at ?? 0) > at);
}

it('a forgotten deletion is still reported as a possible one', () => {
  fc.assert(
    fc.property(batches, interest, fc.nat(40), fc.nat(40), (all, wanted, sequence, at) => {
      if (wasReallyDeleted(all.flat(), wanted, sequence, at))
        expect(says(rememberedOf(all), wanted, sequence, at)).toBe(true);
    }),
    { numRuns: 5_000 },
  );
});

it('segments without deletions are never reported as deleted while all segments are remembered', () => {
  const most = { ...limits, segmentsMax: 8 };
  const firstOf = (text: string): string => text.split('/')[0] as string;
  fc.assert(
    fc.property(batches, interest, fc.nat(40), (all, wanted, sequence) => {
      const touched = new Set(
        all
          .flat()
          .filter((one) => one.sequence > sequence)
          .map((one) => firstOf(one.topic)),
      );
      const wantedFirst = firstOf(wanted);
      fc.pre(!wantedFirst.includes('*') && !touched.has(wantedFirst));
      expect(says(rememberedOf(all, most), wanted, sequence, 0)).toBe(false);
    }),
    { numRuns: 5_000 },
  );
});

it('the newest deletions are exact', () => {
  fc.assert(
    fc.property(batches, interest, fc.nat(40), (all, wanted, sequence) => {
      const newest = all.flat().slice(-limits.newestMax);
      const older = all.flat().slice(0, -limits.newestMax);
      fc.pre(older.every((one) => one.sequence <= sequence));
      expect(says(rememberedOf(all), wanted, sequence, 0)).toBe(
        wasReallyDeleted(newest, wanted, sequence, 0),
      );
    }),
    { numRuns: 5_000 },
  );
});

it('the number of remembered deletions stays within its limits', () => {
  fc.assert(
    fc.property(batches, (all) => {
      const { newest, bySegment } = rememberedOf(all);
      expect(newest.length).toBeLessThanOrEqual(limits.newestMax + limits.slack);
      expect(bySegment.size).toBeLessThanOrEqual(limits.segmentsMax);
    }),
  );
});

it('older deletions are merged only now and then, so that they are written rarely', () => {
  let known = noDeletions;
  let changes = 0;
  for (let sequence = 1; sequence <= 10_000; sequence++) {
    const { bySegment } = known;
    known = withDeletions(known, [{ topic: parseTopic(`answers/${sequence}`), sequence }]);
    if (known.bySegment !== bySegment) changes++;
  }
  expect(known.newest.length).toBeGreaterThanOrEqual(1_000);
  expect(changes).toBeLessThan(40);
});
