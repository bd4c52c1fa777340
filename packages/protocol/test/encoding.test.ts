import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  encodeEnvelope,
  encodePublishResult,
  type Interest,
  type PublishResult,
  type Stored,
  type Topic,
} from '@fanfare/protocol';

const text = fc.oneof(
  fc.constantFrom('news', 'a/b', 'a/*', '"', '\\', '語', '\u2028', '\ud800', ''),
  fc.string({ unit: 'binary', maxLength: 40 }),
);
/** Texts of which several in a row are the same. */
const texts = fc.array(text, { minLength: 1, maxLength: 3 });
const offset = fc
  .tuple(fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/), fc.maxSafeNat())
  .map(([epoch, sequence]) => `${epoch}.${sequence}`);
const maybe = <T>(of: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(of, { nil: undefined });

describe('printed JSON', () => {
  it('acknowledgements are printed as JSON.stringify prints them, whatever was printed before', () => {
    const stored = fc.constantFrom<Stored>('none', 'memory', 'disk', 'replicated');
    const result = texts.chain((topics) =>
      fc.record({
        topic: fc.constantFrom(...topics),
        offset: maybe(offset),
        time: fc.maxSafeNat(),
        id: maybe(text),
        duplicate: maybe(fc.constant(true as const)),
        stored,
      }),
    );
    fc.assert(
      fc.property(fc.array(result, { maxLength: 8 }), (results) => {
        for (const { topic, time, stored: level, ...rest } of results) {
          const { offset: place, id, duplicate } = rest;
          const plain: PublishResult = {
            ok: true,
            topic,
            ...(place !== undefined && { offset: place }),
            time,
            ...(id !== undefined && { id }),
            ...(duplicate !== undefined && { duplicate }),
            stored: level,
          };
          expect(encodePublishResult(plain)).toBe(JSON.stringify(plain));
        }
      }),
      { numRuns: 5_000 },
    );
  });

  it('envelopes are printed as JSON.stringify prints them, whatever was printed before', () => {
    const envelope = texts.chain((names) =>
      fc.record({
        topic: fc.constantFrom(...names),
        message: fc.jsonValue(),
        offset: maybe(offset),
        time: fc.maxSafeNat(),
        id: maybe(text),
        publisher: maybe(text),
        replay: maybe(fc.constantFrom(...names)),
      }),
    );
    fc.assert(
      fc.property(fc.array(envelope, { maxLength: 8 }), (envelopes) => {
        for (const { topic, message, offset: place, time, id, publisher, replay } of envelopes) {
          const record = {
            topic: topic as Topic,
            messageJson: JSON.stringify(message),
            time,
            ...(id !== undefined && { id }),
            ...(publisher !== undefined && { publisher }),
          };
          // JSON.stringify leaves out what is undefined.
          const plain = { topic, message, offset: place, time, id, publisher, replay };
          expect(encodeEnvelope(record, place, replay as Interest | undefined)).toBe(JSON.stringify(plain));
        }
      }),
      { numRuns: 5_000 },
    );
  });
});
