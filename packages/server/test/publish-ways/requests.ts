import fc from 'fast-check';

/** One request of a conversation. */
export interface SentRequest {
  readonly bytes: Buffer;
  /** Where its bytes are divided: each part is a read of its own. */
  readonly cuts: readonly number[];
  /** Whether it is sent without waiting for the response to the request before it. */
  readonly isPipelined: boolean;
  /** Whether it is as long as its head says, and no longer. */
  readonly isWhole: boolean;
}

/** Values of the header `Authorization`. */
export interface Tokens {
  readonly good: string;
  /** May publish only to `orders/*`. */
  readonly limited: string;
  readonly expired: string;
}

/** The topics that exist. */
export const topics: readonly string[] = ['news', 'orders/7', 'ü'];

/** A choice of which the first value is by far the most frequent one. */
function mostly<T>(usual: T, ...others: readonly T[]): fc.Arbitrary<T> {
  return fc.oneof(
    { arbitrary: fc.constant(usual), weight: 10 * others.length },
    { arbitrary: fc.constantFrom(...others), weight: others.length },
  );
}

const requestLine = mostly(
  'POST /publish HTTP/1.1',
  'POST /publish HTTP/1.0',
  'POST /publish?x=1 HTTP/1.1',
  'POST /publish/ HTTP/1.1',
  'POST /%70ublish HTTP/1.1',
  'POST /PUBLISH HTTP/1.1',
  'POST http://localhost/publish HTTP/1.1',
  'GET /publish HTTP/1.1',
  'OPTIONS /publish HTTP/1.1',
  'PUT /publish HTTP/1.1',
  'POST /elsewhere HTTP/1.1',
);

const host = mostly<readonly string[]>(
  ['Host: localhost'],
  ['hOST: 127.0.0.1:5000'],
  ['Host: attacker.example'],
  ['Host: localhost', 'Host: localhost'],
  ['Host:'],
  [],
);

const type = mostly<readonly string[]>(
  ['Content-Type: application/json'],
  ['Content-Type: application/json; charset=utf-8'],
  ['content-type: Application/JSON'],
  ['Content-Type: application/json', 'Content-Type: text/plain'],
  ['Content-Type: text/plain'],
  ['Content-Type: application/x-ndjson'],
  ['Content-Type: application/json+x'],
  ['Content-Type: ;'],
  [],
);

const accept = mostly<readonly string[]>(
  [],
  ['Accept: */*'],
  ['Accept: application/json'],
  ['Accept: application/json'],
  ['Accept: application/json, text/plain, */*'],
  ['Accept: text/plain;q=0.5, application/json'],
  ['Accept: text/html, */*;q=0.8'],
  ['Accept: application/json', 'Accept: text/plain'],
  ['Accept:'],
);

/** Headers that change the response, or that might. */
const oddHeaders = [
  'Origin: http://localhost',
  'Origin: https://named.example',
  'Origin: https://attacker.example',
  'Origin: null',
  'Sec-Fetch-Site: cross-site',
  'Sec-Fetch-Site: same-site',
  'Sec-Fetch-Site: same-origin',
  'Sec-Fetch-Mode: no-cors',
  'X-Forwarded-For: 192.0.2.1',
  'X-Forwarded-For: 127.0.0.1',
  'Forwarded: for=192.0.2.1',
  'Via: 1.1 proxy.example',
  'Expect: 100-continue',
  'Expect: something',
  'Content-Encoding: gzip',
  'Content-Encoding: identity',
  'Connection: close',
  'Connection: keep-alive',
  'Connection: keep-alive, x-odd',
  'Connection: Upgrade',
  'Upgrade: h2c',
  'Upgrade: websocket',
  'Keep-Alive: timeout=5',
  'Idempotency-Key: a',
  'Idempotency-Key: b',
  'Idempotency-Key: \u00c3\u00bc',
  'Idempotency-Key: \u00fc',
  'Idempotency-Key:',
  `Idempotency-Key: ${'x'.repeat(300)}`,
  'Accept-Encoding: gzip, br',
  'Accept-Version: 2.0.0',
  'Access-Control-Request-Method: POST',
  'traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
  'User-Agent: test',
  'Cookie: a=b',
  'TE: trailers',
  'Content-Length: 7',
  'X-Odd: \u0080\u00ff',
  'X-Odd : 1',
  `X-Long: ${'x'.repeat(3_000)}`,
];

const message = fc.oneof(fc.jsonValue(), fc.string(), fc.constant(null));

const publish = fc
  .record(
    {
      topic: mostly<unknown>('news', ...topics, 'unknown', 'orders/*', '$own', '', 7, null, 'x'.repeat(256)),
      message,
      id: mostly<unknown>('a', 'b', 'ü', '', 7, null, 'x'.repeat(300)),
      other: fc.jsonValue(),
      __proto__: fc.constant({ topic: 'news' }),
    },
    { requiredKeys: ['topic'] },
  )
  .chain((fields) => fc.constantFrom(JSON.stringify(fields), JSON.stringify(fields, undefined, '\t')));

const plain = '{"topic":"news","message":"plain"}';

/** Texts that are not one valid publish, or not one of the usual size. */
const oddText = fc.constantFrom(
  '',
  ' \n',
  'null',
  '7',
  '"text"',
  '{}',
  '{',
  '{"topic":"news","message":NaN}',
  `${plain}}`,
  `${plain}\n${plain}`,
  '{"topic":"unknown","topic":"news","message":1,"message":2}',
  '[]',
  '[7]',
  `[${plain},{"topic":"unknown","message":1},7]`,
  ` \r\n[${plain}]`,
  `[${plain}`,
  `\ufeff${plain}`,
  `\ufeff[${plain}]`,
  `{"topic":"news","message":${'['.repeat(65)}${']'.repeat(65)}}`,
  `{"topic":"news","message":"${'x'.repeat(1_900)}"}`,
  `{"topic":"news","message":"${'ü'.repeat(1_900)}"}`,
  `{"topic":"news","message":"${'x'.repeat(2_100)}"}`,
  `{"topic":"news","message":1,"other":"${'x'.repeat(66_000)}"}`,
  `[${plain},{"topic":"news","message":1,"other":"${'x'.repeat(66_000)}"}]`,
);

const body = fc.oneof(
  { arbitrary: publish.map((text) => Buffer.from(text)), weight: 8 },
  { arbitrary: oddText.map((text) => Buffer.from(text)), weight: 3 },
  {
    arbitrary: fc.constantFrom(
      Buffer.from('{"topic":"news","message":"\u00fc"}', 'latin1'),
      Buffer.from('[{"topic":"news","message":"\u00ff"}]', 'latin1'),
      Buffer.from(plain, 'utf16le'),
    ),
    weight: 1,
  },
);

type Framing = 'right' | 'padded' | 'chunked' | 'short' | 'long' | 'none' | 'signed';
const framing = mostly<Framing>('right', 'padded', 'chunked', 'chunked', 'short', 'long', 'none', 'signed');

/** The header that says how long a body is, and the body. */
function framed(content: Buffer, kind: Framing): { header: string[]; content: Buffer; isWhole: boolean } {
  const { length } = content;
  switch (kind) {
    case 'right':
      return { header: [`Content-Length: ${length}`], content, isWhole: true };
    case 'padded':
      return { header: [`Content-Length:  00${length} `], content, isWhole: true };
    case 'chunked': {
      const half = length >> 1;
      const chunks = [content.subarray(0, half), content.subarray(half)].filter((chunk) => chunk.length > 0);
      const parts = chunks.flatMap((chunk) => [`${chunk.length.toString(16)}\r\n`, chunk, '\r\n']);
      const bytes = [...parts, '0\r\n\r\n'].map((part) => Buffer.from(part));
      return { header: ['Transfer-Encoding: chunked'], content: Buffer.concat(bytes), isWhole: true };
    }
    case 'short':
      return { header: [`Content-Length: ${Math.max(0, length - 3)}`], content, isWhole: false };
    case 'long':
      return { header: [`Content-Length: ${length + 9}`], content, isWhole: false };
    case 'none':
      return { header: [], content, isWhole: length === 0 };
    case 'signed':
      return { header: [`Content-Length: +${length}`], content, isWhole: false };
  }
}

/** @param tokens - undefined for a server that asks for none */
export function requests(tokens: Tokens | undefined): fc.Arbitrary<readonly SentRequest[]> {
  const authorization: fc.Arbitrary<readonly string[]> = tokens
    ? mostly<readonly string[]>(
        [`Authorization: ${tokens.good}`],
        [`authorization: ${tokens.good.replace('Bearer', 'bearer ')}`],
        [`Authorization: ${tokens.limited}`],
        [`Authorization: ${tokens.expired}`],
        // A wrong signature would be found on another thread: the order of events would be random.
        ['Authorization: Bearer nonsense'],
        ['Authorization: Bearer'],
        ['Authorization: Basic YTpi'],
        [],
      )
    : mostly<readonly string[]>([], ['Authorization: Bearer nonsense']);
  const one = fc
    .record({
      requestLine,
      heads: fc.tuple(host, type, accept, authorization),
      odd: fc.oneof<fc.MaybeWeightedArbitrary<readonly string[]>[]>(
        { arbitrary: fc.constant<readonly never[]>([]), weight: 3 },
        { arbitrary: fc.subarray(oddHeaders, { minLength: 1, maxLength: 3 }), weight: 2 },
      ),
      isShuffled: fc.boolean(),
      body,
      framing,
      cuts: fc.oneof(
        { arbitrary: fc.constant<readonly never[]>([]), weight: 3 },
        { arbitrary: fc.array(fc.nat(400), { maxLength: 3 }), weight: 1 },
      ),
      isPipelined: mostly(false, true),
    })
    .map(({ requestLine: line, heads, odd, isShuffled, body: content, framing: kind, cuts, isPipelined }) => {
      const framedBody = framed(content, kind);
      const headers = [...heads.flat(), ...framedBody.header];
      const all = isShuffled ? [...odd, ...headers.toReversed()] : [...headers, ...odd];
      // Header values are Latin-1.
      const head = Buffer.from([line, ...all, '', ''].join('\r\n'), 'latin1');
      const isWhole = framedBody.isWhole && !odd.some((header) => /^(?:content-length|x-odd )/i.test(header));
      return { bytes: Buffer.concat([head, framedBody.content]), cuts, isPipelined, isWhole };
    });
  return fc.array(one, { minLength: 1, maxLength: 4 });
}
