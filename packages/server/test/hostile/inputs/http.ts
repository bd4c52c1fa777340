import fc, { type Arbitrary } from 'fast-check';
import { engineIoPacket } from './packets.ts';
import { anyRequestText, requestText, topicName } from './requests.ts';

const wellFormedName = topicName.filter((name) => name.isWellFormed());
const topicPath = wellFormedName.map((name) => `/topics/${encodeURIComponent(name)}`);
const messagesPath = topicPath.map((path) => `${path}/messages?from=earliest`);

const target = fc.oneof(
  fc.constantFrom(
    '/',
    '/publish',
    '/publish?x',
    '/topics',
    '/topics?limit=0',
    '/topics?prefix=%ff&cursor=AA',
    '/topics/news',
    '/topics/%',
    '/topics/%00/messages',
    '/fanfare.js',
    '/nothing',
    '*',
    'http://x/publish',
    '//',
    '/socket.io/',
    '/socket.io/?EIO=4&transport=polling',
    '/socket.io/?EIO=3&transport=polling',
    '/socket.io/?EIO=4&transport=polling&sid=nobody',
    '/socket.io/?EIO=4&transport=websocket',
    '/socket.io/?EIO=4&transport=__proto__',
    '/socket.io/?EIO=4&transport=polling&sid=__proto__',
    '/socket.io/?EIO=4&transport=polling&j=0',
  ),
  topicPath,
  messagesPath,
  fc.string({ maxLength: 20 }).map((text) => `/${text}`),
);

const header = fc.oneof(
  fc.constantFrom(
    'Content-Type: application/json',
    'Content-Type: application/x-ndjson',
    'Content-Type: text/plain',
    'Accept: application/json',
    'Accept: text/event-stream',
    'Accept: ;;,q=',
    'Content-Encoding: gzip',
    'Expect: 100-continue',
    'Expect: more',
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Upgrade: h2c',
    'HTTP2-Settings: AAA',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Version: 1',
    'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
    'Sec-WebSocket-Key: no',
    'Origin: null',
    'Origin: http://evil.example',
    'Idempotency-Key: a',
    'Idempotency-Key: a\0',
    'Last-Event-ID: no',
    'Transfer-Encoding: chunked',
    'Transfer-Encoding: gzip, chunked',
    'Content-Length: 5',
    'Content-Length: -1',
    'Content-Length: 99999999999',
    'Cookie: __proto__=1',
  ),
  fc
    .tuple(fc.string({ maxLength: 8 }), fc.string({ maxLength: 30 }))
    .map(([name, value]) => `${name}: ${value}`),
  fc.constant(`X-Long: ${'a'.repeat(3_000)}`),
);

const usualBody = fc.oneof(
  requestText.map((text) => Buffer.from(text)),
  anyRequestText.map((text) => Buffer.from(text)),
  fc.array(anyRequestText, { maxLength: 5 }).map((texts) => Buffer.from(texts.join('\n'))),
  fc.array(anyRequestText, { maxLength: 5 }).map((texts) => Buffer.from(`[${texts.join()}]`)),
  fc.array(engineIoPacket, { maxLength: 5 }).map((packets) => Buffer.from(packets.join('\u001e'))),
  fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
);

/** Larger than the limit of a publish. */
const oversized = Buffer.from(`{"topic":"news","message":"${'a'.repeat(1_100_000)}"}`);

const body = fc.oneof({ weight: 20, arbitrary: usualBody }, { weight: 1, arbitrary: fc.constant(oversized) });

const usualType = 'Content-Type: application/json';

const anyMethod = fc.oneof(
  { weight: 10, arbitrary: fc.constantFrom('GET', 'POST', 'PUT', 'DELETE', 'HEAD', 'OPTIONS') },
  { weight: 1, arbitrary: fc.constantFrom('PATCH', 'TRACE', 'CONNECT', 'PRI', 'get', '') },
);

/** Request targets: half of them exist. */
const route: Arbitrary<readonly [method: string, path: string]> = fc.oneof(
  { weight: 4, arbitrary: fc.constant(['POST', '/publish'] as const) },
  { weight: 1, arbitrary: fc.tuple(fc.constantFrom('GET', 'PUT', 'DELETE'), topicPath) },
  { weight: 1, arbitrary: fc.tuple(fc.constant('GET'), messagesPath) },
  { weight: 4, arbitrary: fc.tuple(anyMethod, target) },
);

const headers: Arbitrary<readonly string[]> = fc.oneof(
  { weight: 3, arbitrary: fc.constant([]) },
  { weight: 2, arbitrary: fc.array(header, { maxLength: 2 }) },
  { weight: 1, arbitrary: fc.array(header, { maxLength: 6 }) },
);

const anyFraming = fc.oneof(
  { weight: 6, arbitrary: fc.constant('length') },
  { weight: 4, arbitrary: fc.constantFrom('none', 'chunked', 'broken chunks', 'too long', 'too short') },
);

/** A request with any kind of framing, right or wrong. */
function httpRequest(authorization: Arbitrary<readonly string[]>): Arbitrary<Buffer> {
  return fc
    .record({
      route,
      version: fc.oneof(
        { weight: 20, arbitrary: fc.constant('HTTP/1.1') },
        { weight: 1, arbitrary: fc.constantFrom('HTTP/1.0', 'HTTP/2.0', 'HTTP/9.9', '', 'HTTP') },
      ),
      host: fc.oneof(
        { weight: 20, arbitrary: fc.constant(['Host: localhost']) },
        { weight: 1, arbitrary: fc.constantFrom([], ['Host: a', 'Host: b']) },
      ),
      type: fc.oneof(
        { weight: 6, arbitrary: fc.constant([usualType]) },
        { weight: 1, arbitrary: fc.constantFrom([], ['Content-Type: application/x-ndjson']) },
      ),
      authorization,
      headers,
      content: body,
      framing: anyFraming,
    })
    .map((parts) => {
      const [framingHeaders, framed] = framedBody(parts.content, parts.framing);
      const lines = [
        `${parts.route.join(' ')} ${parts.version}`,
        ...parts.host,
        ...parts.authorization,
        ...parts.type,
        ...parts.headers,
        ...framingHeaders,
        '',
        '',
      ];
      return Buffer.concat([Buffer.from(lines.join('\r\n'), 'latin1'), framed]);
    });
}

function framedBody(content: Buffer, framing: string): [readonly string[], Buffer] {
  const chunk = (size: string): Buffer =>
    Buffer.concat([Buffer.from(`${size}\r\n`), content, Buffer.from('\r\n0\r\n\r\n')]);
  switch (framing) {
    case 'length':
      return [[`Content-Length: ${content.length}`], content];
    case 'too long':
      return [[`Content-Length: ${content.length + 10}`], content];
    case 'too short':
      return [[`Content-Length: ${Math.max(0, content.length - 3)}`], content];
    case 'chunked':
      return [['Transfer-Encoding: chunked'], chunk(content.length.toString(16))];
    case 'broken chunks':
      return [['Transfer-Encoding: chunked'], chunk('fffffffffffffffff')];
    default:
      return [[], content];
  }
}

/** The bytes of one connection, in pieces. They can end in the middle of a request. */
export type Conversation = readonly Buffer[];

export function cutSomewhere(pieces: Arbitrary<readonly Buffer[]>): Arbitrary<Conversation> {
  return fc.tuple(pieces, fc.option(fc.nat(), { freq: 8 })).map(([all, cut]) => {
    const last = all.at(-1);
    if (cut === null || !last) return all;
    return all.slice(0, -1).concat(last.subarray(0, cut % (last.length + 1)));
  });
}

/** @param authorization - the headers of each request for its authorization */
export function httpConversationWith(authorization: Arbitrary<readonly string[]>): Arbitrary<Conversation> {
  return cutSomewhere(fc.array(httpRequest(authorization), { minLength: 1, maxLength: 3 }));
}

export const httpConversation: Arbitrary<Conversation> = httpConversationWith(fc.constant([]));

/** A correct request, after which the server closes the connection. */
export function request(method: string, path: string, content: Buffer): Buffer {
  const head = `${method} ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: ${content.length}\r\n\r\n`;
  return Buffer.concat([Buffer.from(head), content]);
}
