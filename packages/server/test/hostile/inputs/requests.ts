import fc, { type Arbitrary } from 'fast-check';

/** Names with a special meaning for JavaScript, Socket.IO, this server or a file system. */
export const loadedNames: readonly string[] = [
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'hasOwnProperty',
  'connect',
  'connect_error',
  'disconnect',
  'disconnecting',
  'newListener',
  'removeListener',
  'message',
  'state',
  'gap',
  'error',
  'token',
  '',
  '.',
  '..',
  '/',
  'a//b',
  '*',
  '**',
  '>',
  '#',
  '+',
  'a/*/b',
  'a/**',
  '**/a',
  '$SYS',
  'a\r\nb',
  'a\0b',
  'a\u001eb',
  '\ud800',
  '\udfff\ud800',
  '\uFEFF',
  'fanfare:plain:news',
  '../../etc/passwd',
  '%2e%2e%2f',
  'a'.repeat(255),
  'a'.repeat(256),
  '語'.repeat(85),
  '語'.repeat(86),
  '*/'.repeat(127) + '*',
];

export const topicName: Arbitrary<string> = fc.oneof(
  fc.constantFrom(...loadedNames),
  fc.string({ maxLength: 20 }),
  fc.string({ unit: 'binary', maxLength: 300 }),
  fc
    .array(fc.constantFrom('a', 'b', '*', '**', '', '.', '__proto__'), { maxLength: 12 })
    .map((parts) => parts.join('/')),
  fc.constant('news'),
);

/** JSON values that JavaScript changes, or that take long to process. */
const oddJson: Arbitrary<string> = fc.oneof(
  fc.constantFrom(
    '1e400',
    '-1e400',
    '-0',
    '1e-400',
    '9007199254740993',
    'NaN',
    '[,]',
    '{"a":1,"a":2}',
    '{"__proto__":{"x":1}}',
  ),
  fc.constantFrom(
    '{"_placeholder":true,"num":0}',
    '{"_placeholder":true,"num":-1}',
    '{"_placeholder":true,"num":1e9}',
    '"\\ud800"',
    '"\\u0000"',
  ),
  fc.integer({ min: 1, max: 3_000 }).map((digits) => '9'.repeat(digits)),
  fc.integer({ min: 1, max: 5_000 }).map((levels) => '['.repeat(levels) + ']'.repeat(levels)),
  fc.integer({ min: 1, max: 500 }).map((levels) => '{"a":'.repeat(levels) + '1' + '}'.repeat(levels)),
  fc
    .integer({ min: 1, max: 2_000 })
    .map((width) => `{${Array.from({ length: width }, (_, at) => `"${at}":0`).join()}}`),
  fc.integer({ min: 1, max: 2_000 }).map((width) => `[${'0,'.repeat(width)}0]`),
);

const jsonText: Arbitrary<string> = fc.oneof(
  { weight: 3, arbitrary: fc.json({ maxDepth: 3 }) },
  { weight: 1, arbitrary: oddJson },
);

const memberName = fc.oneof(
  fc.constantFrom('topic', 'message', 'id', 'envelope', 'from', '__proto__', 'constructor', 'mess\\u0061ge'),
  fc.string({ maxLength: 5 }).map((name) => JSON.stringify(name).slice(1, -1)),
);

const from: Arbitrary<string> = fc.oneof(
  fc.constantFrom(
    '"new"',
    '"earliest"',
    '"last"',
    '{"last":3}',
    '{"time":0}',
    '{"last":-1}',
    '{"last":1e99}',
    '"e.1"',
    '"e.9999999999999999"',
  ),
  jsonText,
);

/** The text of `{topic, message, id?, envelope?, from?}`, or an almost correct one. */
export const requestText: Arbitrary<string> = fc.oneof(
  fc
    .record({
      topic: topicName,
      message: jsonText,
      id: fc.option(fc.string({ maxLength: 10 })),
      from: fc.option(from),
      envelope: fc.option(fc.constantFrom('true', 'false', '1')),
    })
    .map(({ topic, message, id, from: start, envelope }) =>
      [
        `{"topic":${JSON.stringify(topic)},"message":${message}`,
        id === null ? '' : `,"id":${JSON.stringify(id)}`,
        start === null ? '' : `,"from":${start}`,
        envelope === null ? '}' : `,"envelope":${envelope}}`,
      ].join(''),
    ),
  fc
    .array(
      fc.tuple(
        memberName,
        fc.oneof(
          jsonText,
          topicName.map((name) => JSON.stringify(name)),
        ),
      ),
      { maxLength: 6 },
    )
    .map((members) => `{${members.map(([name, value]) => `"${name}":${value}`).join()}}`),
  jsonText,
);

/** A text with a part removed, repeated or replaced. */
export function broken(text: Arbitrary<string>): Arbitrary<string> {
  return fc
    .tuple(
      text,
      fc.nat(),
      fc.nat(30),
      fc.constantFrom('', '"', '\\', '{', '[', ',', '\0', '\ud800', '\u001e', '-', 'é'),
    )
    .map(([whole, at, length, instead]) => {
      const start = whole.length === 0 ? 0 : at % (whole.length + 1);
      return whole.slice(0, start) + instead + whole.slice(start + length);
    });
}

export const anyRequestText: Arbitrary<string> = fc.oneof(
  { weight: 2, arbitrary: requestText },
  { weight: 1, arbitrary: broken(requestText) },
);

/** Values as Socket.IO passes them: JSON, binary data, nothing. */
export const anyValue: Arbitrary<unknown> = fc.oneof(
  fc.record(
    {
      topic: fc.oneof(topicName, fc.anything()),
      message: fc.anything({ withNullPrototype: true }),
      id: fc.anything(),
      envelope: fc.anything(),
      from: fc.anything(),
    },
    { requiredKeys: [] },
  ),
  fc.anything(),
  fc.uint8Array({ maxLength: 10 }).map((bytes) => Buffer.from(bytes)),
);
