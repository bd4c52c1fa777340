import fc from 'fast-check';
import { reservedTopics } from '@fanfare/protocol';

/** A short text of characters that matter to names: separators, wildcards, controls, surrogates. */
const parts = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom('a', '/', '*', '**', '$', ' ', '.', '/*', '*/') },
    fc.constantFrom('\0', '\n', '\r', '\t', '\u007f', '\u0085', '\u009f', '\u00a0', '\u00ad', '\u2028'),
    fc.constantFrom('é', '€', '😀', '\ud83d', '\ude00', '\ufeff', '\uffff', 'e\u0301'),
    fc.string({ unit: 'binary', maxLength: 2 }),
  ),
  { maxLength: 6 },
);

/** Names, many of them with a length near the limit. */
export const name = fc.oneof(
  { weight: 4, arbitrary: parts.map((some) => some.join('')) },
  fc.constantFrom(...reservedTopics),
  fc
    .tuple(parts, fc.constantFrom('a', 'é', '€', '😀'), fc.integer({ min: 60, max: 256 }))
    .map(([some, filling, length]) => some.join('') + filling.repeat(length)),
);

export const other = fc.constantFrom<unknown>(undefined, null, true, 0, 1.5, [], {}, ['a'], { topic: 'a' });

export const offset = fc.oneof(
  fc
    .tuple(
      fc.oneof(fc.string({ maxLength: 3 }), fc.constantFrom('a', 'Ab-_9', 'x'.repeat(64), 'x'.repeat(65))),
      fc.constantFrom('.', '', '..', ','),
      fc.oneof(
        fc.nat().map(String),
        fc.constantFrom('', '00', '01', '-1', '1e3', '9'.repeat(16), '9'.repeat(17), '1\n'),
      ),
    )
    .map((some) => some.join('')),
);

const number = fc.oneof(
  fc.nat(),
  fc.constantFrom(-1, -0, 0.5, 1e300, Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER + 1),
  other,
);

export const from = fc.oneof(
  fc.constantFrom('new', 'earliest', 'last', 'first', ''),
  offset,
  fc.record({ last: number, time: number, more: other }, { requiredKeys: [] }),
  other,
);

export const request = fc.oneof(
  {
    weight: 9,
    arbitrary: fc.record(
      {
        topic: fc.oneof({ weight: 9, arbitrary: name }, other),
        envelope: fc.oneof({ weight: 9, arbitrary: fc.boolean() }, other),
        from: fc.oneof({ weight: 3, arbitrary: fc.constant('new') }, from),
        more: other,
      },
      { requiredKeys: [] },
    ),
  },
  other,
);

/** A message with a number of levels. */
const nested = fc
  .tuple(fc.oneof(fc.nat(66), fc.constantFrom(63, 64, 65)), fc.boolean())
  .map(([levels, isObject]) => {
    let value: unknown = 1;
    for (let level = 0; level < levels; level++) value = isObject ? { a: value } : [value];
    return value;
  });

/** The body of a publish. */
export const publish = fc.oneof(
  {
    weight: 9,
    arbitrary: fc.record(
      {
        topic: fc.oneof({ weight: 4, arbitrary: fc.constant('orders') }, name, other),
        message: fc.oneof({ weight: 2, arbitrary: nested }, fc.jsonValue()),
        id: fc.oneof({ weight: 3, arbitrary: fc.uuid() }, name, other),
        more: other,
      },
      { requiredKeys: [] },
    ),
  },
  other,
);
