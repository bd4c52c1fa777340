import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FanfareError, isReservedTopic, parseTopic, reservedTopics } from '@fanfare/protocol';

/** The rule of PROTOCOL.md §1, written down a second time and as plainly as can be. */
function isLegal(text: string): boolean {
  const bytes = Buffer.from(text, 'utf8');
  return (
    bytes.length >= 1 &&
    bytes.length <= 255 &&
    bytes.toString('utf8') === text &&
    [...text].every((character) => {
      const point = character.codePointAt(0) ?? 0;
      return point > 0x1f && (point < 0x7f || point > 0x9f);
    }) &&
    !text.startsWith('$') &&
    text.split('/').every((segment) => segment !== '*' && segment !== '**')
  );
}

const anyText = fc.oneof(
  { weight: 3, arbitrary: fc.string({ unit: 'binary', maxLength: 300 }) },
  {
    weight: 2,
    arbitrary: fc.string({
      unit: fc.constantFrom('a', '/', '*', '$', '\u0000', '\u009f', '\ud800', '\udc00', '語'),
    }),
  },
  {
    weight: 1,
    arbitrary: fc
      .constantFrom('a', 'é', '語', '👩')
      .chain((unit) => fc.nat(260).map((count) => unit.repeat(count))),
  },
);

describe('topic names', () => {
  it('parseTopic accepts exactly the names that PROTOCOL.md 1.1 allows, and returns them unchanged', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        if (isLegal(text)) expect(parseTopic(text)).toBe(text);
        else expect(() => parseTopic(text)).toThrow(FanfareError);
      }),
      { numRuns: 5_000 },
    );
  });

  it('a topic is accepted or refused in the same way however often it comes', () => {
    const few = fc.uniqueArray(anyText, { minLength: 1, maxLength: 3 });
    const sequence = few.chain((texts) => fc.array(fc.constantFrom(...texts), { maxLength: 9 }));
    fc.assert(
      fc.property(sequence, (texts) => {
        for (const text of texts) {
          if (isLegal(text)) expect(parseTopic(text)).toBe(text);
          else expect(() => parseTopic(text)).toThrow(FanfareError);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it.each([
    'news',
    'breaking news',
    'a'.repeat(255),
    '語'.repeat(85),
    '/',
    '//',
    'a/*b',
    '***',
    'a$',
    '.',
    ' ',
    '\u00a0',
  ])('may be %j', (topic) => {
    expect(parseTopic(topic)).toBe(topic);
  });

  it('a topic that is not a string is refused with bad_request', () => {
    fc.assert(
      fc.property(
        fc.anything().filter((value) => typeof value !== 'string'),
        (value) => {
          expect(() => parseTopic(value)).toThrow(expect.objectContaining({ code: 'bad_request' }) as Error);
        },
      ),
    );
  });

  it('the length of a topic is limited by its exact number of bytes', () => {
    for (const topic of reservedTopics) {
      expect(isReservedTopic(parseTopic(topic))).toBe(true);
      expect(isReservedTopic(parseTopic(`${topic} `))).toBe(false);
      expect(isReservedTopic(parseTopic(topic.toUpperCase()))).toBe(false);
    }
  });
});
